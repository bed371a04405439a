/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as one line of the event stream: an event that is accepted has a usable id and bounded
 * text, whatever the line was.
 */
#include "lib/docker/answer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        PlEvent e;

        memset(&e, 0xA5, sizeof(e));
        if (pl_docker_parse_event((const char *)data, size, &e) == 0) {
                if (!pl_is_id(e.id) || !memchr(e.name, '\0', sizeof(e.name)) ||
                    e.action >= _PL_EVENT_N || e.exit_code < -1 || e.signal < 0)
                        abort();
                if ((e.action == PL_EVENT_CREATE) != (e.born != NULL))
                        abort();
                pl_event_deinit(&e);
        }
        return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Control answers: JSON documents and errors as HTTP responses.
 *
 * Every error says what is wrong and what would be right, in one shape, so that plimsollctl and a
 * person with curl read the same words.
 */

#include "control/answer.h"

#include <stdio.h>

#include "control/route.h"

enum MHD_Result pl_ctl_answer_with(struct MHD_Connection *connection, unsigned code,
                                   const char *allow, json_t *stolen) {
        _cleanup_free_ char *text = stolen ? json_dumps(stolen, JSON_COMPACT) : NULL;

        json_decref(stolen);
        if (!text)
                return MHD_NO; /* out of memory: MHD closes the connection */

        size_t size = strlen(text);
        text[size++] = '\n'; /* over the NUL: HTTP needs none, a person's terminal wants this */
        struct MHD_Response *response =
                        MHD_create_response_from_buffer(size, text, MHD_RESPMEM_MUST_FREE);
        if (!response)
                return MHD_NO;
        text = NULL;
        (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, "application/json");
        if (allow)
                (void)MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, allow);
        enum MHD_Result r = MHD_queue_response(connection, code, response);
        MHD_destroy_response(response);
        return r;
}

enum MHD_Result pl_ctl_answer_json(struct MHD_Connection *connection, json_t *stolen) {
        if (!stolen)
                return pl_ctl_answer_with(connection, MHD_HTTP_INTERNAL_SERVER_ERROR, NULL,
                                          json_pack("{s:s,s:s}", "message", "out of memory",
                                                    "remedy",
                                                    "try again; see journalctl -u plimsolld"));
        return pl_ctl_answer_with(connection, MHD_HTTP_OK, NULL, stolen);
}

enum MHD_Result pl_ctl_answer_error(struct MHD_Connection *connection, unsigned code,
                                    const char *allow, const char *message, const char *remedy) {
        return pl_ctl_answer_with(connection, code, allow,
                                  json_pack("{s:s,s:s}", "message", message, "remedy", remedy));
}

enum MHD_Result pl_ctl_answer_no_container(struct MHD_Connection *connection, const char *name) {
        char message[PL_CTL_NAME_MAX + 64];

        (void)snprintf(message, sizeof message, "no container or service \"%s\"", name);
        return pl_ctl_answer_error(connection, MHD_HTTP_NOT_FOUND, NULL, message,
                                   "plimsollctl status lists all of them");
}

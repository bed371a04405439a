/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Engine HTTP: how one exchange with the engine is set up and read, for requests and the stream.
 */

#include "engine/internal.h"

#include <errno.h>
#include <sys/socket.h>

void pl_buffer_deinit(PlBuffer *b) {
        free(b->data);
        *b = (PlBuffer){};
}

int pl_buffer_append(PlBuffer *b, const char *data, size_t size, size_t max_bytes) {
        if (size > max_bytes - b->size)
                return -EMSGSIZE;
        if (size > b->allocated - b->size) {
                size_t wanted = PL_MAX(b->allocated, (size_t)KIB(8));
                char *p;

                while (wanted < b->size + size)
                        wanted *= 2;
                p = realloc(b->data, wanted);
                if (!p)
                        return -ENOMEM;
                b->data = p;
                b->allocated = wanted;
        }
        memcpy(b->data + b->size, data, size);
        b->size += size;
        return 0;
}

CURL *pl_engine_easy(PlEngine *e, const char *path) {
        CURL *easy = curl_easy_init();
        char url[4096];

        if (!easy)
                return NULL;
        (void)snprintf(url, sizeof(url), "http://docker%s", path);
        if (curl_easy_setopt(easy, CURLOPT_URL, url) != CURLE_OK ||
            curl_easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, e->path) != CURLE_OK ||
            curl_easy_setopt(easy, CURLOPT_PROXY, "") != CURLE_OK || /* whatever http_proxy says */
            curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1) != CURLE_OK) {
                curl_easy_cleanup(easy);
                return NULL;
        }
        return easy;
}

int pl_engine_http_error(long status) {
        switch (status) {
        case 200 ... 299:
        case 304:
                return 0;
        case 400:
                return -EINVAL;
        case 401:
        case 403:
                return -EACCES;
        case 404:
                return -ENOENT;
        case 409:
                return -EBUSY;
        default:
                return -EIO;
        }
}

pid_t pl_engine_listener(int fd) {
        struct ucred peer = {};
        socklen_t size = sizeof(peer);

        /* the credentials are those of whoever called listen(2): unix(7), SO_PEERCRED */
        if (fd < 0 || getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
                return 0;
        return peer.pid;
}

/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Curl loop: a libcurl multi handle on the event loop (multi socket interface, one timer).
 *
 * It exists so that HTTP clients of the daemon need not know how libcurl waits, and so that nobody
 * calls libcurl from inside one of its callbacks: done() and dispatched() run outside of it, where
 * transfers may be added and removed at will, the loop's owner included.
 */

#include <curl/curl.h>
#include <systemd/sd-event.h>

#include "lib/base/macro.h"

typedef struct PlCurl PlCurl;

/* The transfer has ended and is off the loop; easy is the caller's, with its CURLINFO_*.
 * error: 0 or negative errno. fd: the connection, as long as it is kept; borrowed; -1: none. */
typedef void (*PlCurlDone)(void *userdata, CURL *easy, int error, int fd);

/**
 * pl_curl_new() - also initialises libcurl, without TLS: its library does that for itself when it
 * is needed, which for most daemons is never
 * @dispatched: called whenever libcurl has worked, before any done(): what write callbacks have put
 *              aside can be used now; or NULL
 * Return: 0, -ENOMEM or sd-event's error.
 */
int pl_curl_new(sd_event *event, void (*dispatched)(void *userdata), void *userdata, PlCurl **ret);

/** pl_curl_free() - transfers must be off the loop by then. Allowed anywhere outside of libcurl's
 * own callbacks. Returns NULL. */
PlCurl *pl_curl_free(PlCurl *c);
PL_DEFINE_CLEANUP(PlCurl *, pl_curl_free)

/** pl_curl_add() - start a transfer; done() is called exactly once, never from in here.
 * Takes CURLOPT_PRIVATE and CURLOPT_NOSIGNAL for itself. Return: 0 or -ENOMEM. */
int pl_curl_add(PlCurl *c, CURL *easy, PlCurlDone done, void *userdata);

/** pl_curl_remove() - take a transfer off the loop; done() will not be called. */
void pl_curl_remove(PlCurl *c, CURL *easy);

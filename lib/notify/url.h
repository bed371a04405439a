/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * URL: an address to send to, without a secret in it.
 *
 * A policy is read by many, so a password or a token must not be in it. What is refused is never
 * repeated in the words that say so. Pure.
 */

#include "lib/base/macro.h"

#define PL_NOTIFY_URL_MAX 2048

/** pl_notify_url_fault() - what is wrong with an address, and what would be right
 * @secret: it comes from a credential, and may have a secret in it
 * Return: static, and not a word of the address in it; NULL: nothing. */
const char *pl_notify_url_fault(const char *url, bool secret);

/** pl_notify_url_is_open() - does it go over a network unencrypted? */
bool pl_notify_url_is_open(const char *url);

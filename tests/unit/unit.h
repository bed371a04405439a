/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What every test program's main() ends with. A suite bears its program's name.
 */

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Whether a sanitizer watches each access: it makes code several times as slow. */
#ifndef __has_feature
#define __has_feature(x) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
#define SANITIZED 1
#else
#define SANITIZED 0
#endif

/* Ends a test, or what is left of it, that this host cannot run. Check calls it passed;
 * tests/support/tally.py reads the line and counts it as skipped. */
#define SKIP_HERE(why)                                                            \
        do {                                                                      \
                (void)dprintf(STDOUT_FILENO, "# skip %s: %s\n", __func__, (why)); \
                return;                                                           \
        } while (0)

/** Runs and frees a suite. Return: main()'s. */
static inline int run_suite(Suite *s) {
        SRunner *runner = srunner_create(s);
        int failed;

        srunner_run_all(runner, CK_ENV);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

/** Runs a program's only case. Return: main()'s. */
static inline int run_case(TCase *t) {
        Suite *s = suite_create(program_invocation_short_name);

        suite_add_tcase(s, t);
        return run_suite(s);
}

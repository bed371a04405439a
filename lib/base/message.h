/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Message ids: what the journal's catalog and `journalctl MESSAGE_ID=` know entries by.
 *
 * Each is a random 128-bit id (`journalctl --new-id128`) that never changes its meaning. Every one
 * has a text in systemd/plimsoll.catalog and a line in plimsolld(8); a test checks both.
 */

#define PL_MESSAGE_ENGINE_CONNECTED "b7353e750ffa42b5a0c732b465028224"
#define PL_MESSAGE_ENGINE_LOST      "5cab6da5cd6b4dab9ce487a57764bde2"
#define PL_MESSAGE_POLICY_LOADED    "4cb4effa552a49bab6d96b27369fe1f0"
#define PL_MESSAGE_POLICY_REJECTED  "d1bd962a76ce4d4cb695c26245f37d9e"
#define PL_MESSAGE_LIMITS_APPLIED   "30a70a6afee34021abc0542c94f64134"
#define PL_MESSAGE_LIMITS_FAILED    "b21ac725ad744e5d933add4fa4b0654d"
#define PL_MESSAGE_LIMITS_RESTORED  "f54682877a8a4c21a5ff41707b8f4e0a"
#define PL_MESSAGE_LIMITS_WAITING   "22b1ea20698246908aa4b3ff9ea713d0"
#define PL_MESSAGE_DRIFT_REPAIRED   "e16abf74d9c24f24bd998208e212c257"
#define PL_MESSAGE_DRIFT_STANDOFF   "d359cdb83edf431cb1ba641780c1d073"
#define PL_MESSAGE_UNSUPPORTED      "3db092e7172c44e2a316c3b30c51d1b4"
#define PL_MESSAGE_LOG_ROTATED      "30e5755a01c942e0be56aa9e36015b91"
#define PL_MESSAGE_LOG_FAILED       "95a4de65cc414043a5ea92152de04452"
#define PL_MESSAGE_LOG_DROPPED      "f68f116977d24db8b3f9fdeec672df60"
#define PL_MESSAGE_LOG_FILES        "e2c9b839692b4fa99baea37addcd8193"
#define PL_MESSAGE_LOG_FILES_FAILED "b85f0e50aea14d898108aa379cf32a0a"
#define PL_MESSAGE_HEALTH_CHANGED   "c1fa7afb0be04f33a4872ea9597801f1"
#define PL_MESSAGE_HEALTH_FAILED    "40d5200e9e9b4db8bb6356cae7fe455d"
#define PL_MESSAGE_HEALTH_DISPUTED  "c2f9d042265e4c6b89821662e902240f"
#define PL_MESSAGE_HEALTH_FLAPPING  "e62ebcfc97fd49a993181734370262ba"
#define PL_MESSAGE_RESTARTED        "bb59313f53dd4491b0e81d135188e219"
#define PL_MESSAGE_RESTART_GAVE_UP  "c89b00c96572442cab33a7e2e722422b"
#define PL_MESSAGE_ENDED            "63d0554c07a8442897a314bddc10bd0c"
#define PL_MESSAGE_MODEL_TOO_BIG    "99bb1df2e87049178d53939034083965"
#define PL_MESSAGE_OOM_KILLED       "786d4a23d0b345c8a1404039b7da58be"
#define PL_MESSAGE_MEMORY_PRESSURE  "69cb9798e7bf4f048db5b95dac099588"

/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Probe kind: which probe suits a container whose policy does not say.
 *
 * Better none than a wrong one: a probe that asks the wrong question reports a healthy service as
 * broken. Names are therefore matched whole ("postgres-exporter" is no Postgres).
 */

#include "lib/base/word.h"
#include "lib/docker/container.h"

typedef enum PlProbeKind {
        PL_PROBE_AUTO, /* unset: from the image's name, else Docker's own healthcheck alone */
        PL_PROBE_NONE,
        PL_PROBE_POSTGRES,
        PL_PROBE_REDIS,
        PL_PROBE_AIRFLOW,
        PL_PROBE_OLLAMA,
        PL_PROBE_GRAFANA,
        PL_PROBE_MLFLOW,
        PL_PROBE_PROMETHEUS,
        PL_PROBE_HTTP,
        PL_PROBE_TCP,
        _PL_PROBE_N,
} PlProbeKind;

/** pl_probe_kind_to_string() - the policy's word for it ("postgres"); "auto" for PL_PROBE_AUTO. */
const char *pl_probe_kind_to_string(PlProbeKind k);

/* The same words, for the policy. */
extern const PlWord pl_probe_kind_words[];

/* A container's own word, as Docker labels go: plimsoll.probe=redis. */
#define PL_PROBE_LABEL "plimsoll.probe"

/**
 * pl_probe_kind_infer() - in this order: policy, label, image name, compose service
 * @policy: Probe= of the container's section; PL_PROBE_AUTO: not set
 *
 * Of Airflow's containers only the web server or API server answers; schedulers, workers and
 * triggerers share its image and are seen through it.
 *
 * Return: never PL_PROBE_AUTO; PL_PROBE_NONE where nothing fits.
 */
PlProbeKind pl_probe_kind_infer(PlProbeKind policy, const PlContainer *c);

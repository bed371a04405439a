/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Probe kind: which probe suits a container whose policy does not say.
 *
 * Better none than a wrong one: a probe that asks the wrong question reports a healthy service as
 * broken. Names are therefore matched whole ("postgres-exporter" is no Postgres).
 */

#include "lib/docker/container.h"
#include "lib/policy/document.h"

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

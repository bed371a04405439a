/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Airflow: the health document of Airflow 2 and 3, component by component.
 *
 * Source: Airflow documentation, "Checking Airflow Health Status": the status is 200 even when a
 * component is unhealthy; a component whose status is null is not part of the deployment.
 */

#include "lib/probe/verdict.h"

/** pl_probe_airflow_judge() - the document's text
 * @realtime_usec: now, for the ages of heartbeats
 * Return: false when it is not Airflow's document (ret untouched). */
bool pl_probe_airflow_judge(const char *body, size_t size, uint64_t realtime_usec, PlVerdict *ret);

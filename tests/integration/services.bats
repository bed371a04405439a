#!/usr/bin/env bats
# The HTTP services of the stack as containers, answering as the real ones do: healthy, failing and
# lying; what a container is taken for, and where it is asked.

load helper

setup_file() { engine_begin --images "busybox airflow airflow3 grafana mlflow ollama prometheus"; }
teardown_file() { engine_end; }

setup() { begin; }
teardown() { end; }

NAMES=(airflow2 airflow3 grafana mlflow ollama)

# each with the name that its image goes by, and short deadlines
all_services() {
    local name
    policy_is <<'END'
[Service ollama-gpu]
Match=name:ollama
ProbeInterval=1s
ProbeTimeout=500ms
OllamaModels=llama3.2:1b
FlapBudget=30/10min

[Service other]
Match=name:*
ProbeInterval=1s
ProbeTimeout=500ms
FlapBudget=30/10min
END
    docker run -d --name airflow2 --label com.docker.compose.service=airflow-webserver \
        apache/airflow:2-standin >/dev/null
    docker run -d --name airflow3 --label com.docker.compose.service=airflow-apiserver \
        apache/airflow:3-standin >/dev/null
    for name in grafana mlflow ollama; do
        docker run -d --name $name --no-healthcheck $name/$name:standin >/dev/null
    done
    daemon_begin
    for name in "${NAMES[@]}"; do turns "$name" healthy; done
}

# every FLAG - in every service at once; "every FLAG off" takes it away
every() {
    local name
    for name in "${NAMES[@]}"; do
        docker exec "$name" "$([ "${2:-}" = off ] && echo rm || echo touch)" "/run/standin/$1"
    done
}

# because NAME STATE PATTERN - and why
# shellcheck disable=SC2053 # a pattern
because() {
    turns "$1" "$2" 20
    [[ $(reason "$1") == $3 ]] || fail "$1 is $2: $(reason "$1"); expected $3"
}

@test "each is healthy, and says which part of it fails when one does" {
    all_services
    every sick
    because airflow2 degraded 'impaired: scheduler heartbeat 1h* old*'
    because airflow3 degraded 'impaired: scheduler heartbeat 1h* old*'
    because grafana degraded 'impaired: its database is failing*'
    because mlflow degraded 'impaired: HTTP 500 for /health*'
    because ollama degraded 'impaired: HTTP 500 for /api/version: "runner failed"*'
    said 'airflow2: degraded: impaired: scheduler heartbeat'
    every sick off
    local name
    for name in "${NAMES[@]}"; do turns "$name" healthy; done
    said 'grafana: healthy again, after '
}

@test "answers that are no answers: a page for everything, garbage, no end, a loop, silence" {
    local name flag
    all_services
    every page
    because airflow2 degraded 'disputed: not Airflow: HTTP 200 with *Welcome*'
    because airflow3 degraded 'disputed: not Airflow: HTTP 200 with *Welcome*'
    because grafana degraded 'disputed: not Grafana: HTTP 200 with *Welcome*'
    because mlflow degraded 'disputed: not MLflow: HTTP 200 with *Welcome* instead of OK*'
    because ollama degraded 'disputed: not Ollama: HTTP 200 with *Welcome*'
    every page off
    for flag in garbage endless loop slow down; do
        for name in "${NAMES[@]}"; do turns "$name" healthy; done
        every $flag
        for name in "${NAMES[@]}"; do
            case $flag in
            garbage) because "$name" degraded 'disputed: the answer is not HTTP*' ;;
            endless) because "$name" degraded 'disputed: *HTTP 200*' ;;
            loop) because "$name" degraded 'disputed: HTTP 302 that redirects to itself*' ;;
            slow) because "$name" unhealthy 'no complete answer within the deadline*' ;;
            down) because "$name" unhealthy 'the connection was closed without an answer*' ;;
            esac
        done
        every $flag off
    done
}

@test "Ollama without a model that the stack needs is degraded" {
    policy_is <<'END'
[Service ollama-gpu]
Match=name:ollama
OllamaModels=llama3.2:1b nomic-embed-text
END
    docker run -d --name ollama ollama/ollama:standin >/dev/null
    daemon_begin
    turns ollama degraded
    [ "$(reason ollama)" = 'impaired: a required model is not installed: nomic-embed-text' ]
    policy_is <<'END'
[Service ollama-gpu]
Match=name:ollama
OllamaModels=llama3.2:1b
END
    kill -HUP "$DAEMON"
    turns ollama healthy
}

@test "a model that cannot fit the limit is a warning, and a real limit makes it one" {
    policy_is <<'END'
[Service ollama-gpu]
Match=name:ollama
MemoryMax=1G
END
    docker run -d --name ollama ollama/ollama:standin >/dev/null
    daemon_begin
    wait_until 20 said 'ollama: model llama3.2:1b \(1.2G\) cannot fit: it needs 1.2G and MemoryMax is 1.0G'
    turns ollama healthy
}

@test "what a container is taken for: image, compose service, label, section" {
    policy_is <<'END'
[Service set-of-models]
Match=name:set
Probe=mlflow
[Service other]
Match=name:*
END
    docker tag grafana/grafana:standin acme/dashboards:7
    docker tag mlflow/mlflow:standin registry.example:5000/acme/tracking:1
    docker run -d --name by-image --no-healthcheck grafana/grafana:standin >/dev/null
    docker run -d --name by-service --no-healthcheck --label com.docker.compose.service=grafana acme/dashboards:7 >/dev/null
    docker run -d --name by-label --label plimsoll.probe=mlflow registry.example:5000/acme/tracking:1 >/dev/null
    docker run -d --name set registry.example:5000/acme/tracking:1 >/dev/null
    docker run -d --name unknown registry.example:5000/acme/tracking:1 >/dev/null
    # a part of Airflow that serves no HTTP
    docker run -d --name scheduler --label com.docker.compose.service=airflow-scheduler \
        apache/airflow:2-standin >/dev/null
    docker run -d --name prometheus prom/prometheus:debian >/dev/null
    daemon_begin
    local name
    for name in by-image by-service by-label set prometheus; do turns $name healthy 40; done
    for name in unknown scheduler; do [ "$(health $name)" = unknown ]; done
}

@test "several networks, the host's network, another container's" {
    policy_is <<'END'
[Service all]
Match=name:*
ProbeInterval=1s
ProbeTimeout=500ms
END
    docker network create aside >/dev/null
    docker network create backend >/dev/null
    docker run -d --name several --no-healthcheck --network aside grafana/grafana:standin >/dev/null
    docker network connect backend several
    docker run -d --name host --network host mlflow/mlflow:standin >/dev/null
    docker run -d --name owner "$BB" sleep 100000 >/dev/null
    docker run -d --name guest --network container:owner ollama/ollama:standin >/dev/null
    daemon_begin
    local name address
    for name in several host guest; do turns $name healthy; done
    # one of its networks is cut off: the other one does
    address=$(docker inspect -f '{{.NetworkSettings.Networks.aside.IPAddress}}' several)
    inside ip route add unreachable "$address"
    heard several 4
    [ "$(health several)" = healthy ]
    address=$(docker inspect -f '{{.NetworkSettings.Networks.backend.IPAddress}}' several)
    inside ip route add unreachable "$address"
    because several degraded 'disputed: address unreachable (*'
    inside ip route flush type unreachable
    turns several healthy
    docker rm -f several >/dev/null
    docker network rm aside backend >/dev/null
}

@test "a container that is moved to another network is asked there, and was never ill" {
    policy_is <<'END'
[Service all]
Match=name:*
ProbeInterval=1s
ProbeTimeout=500ms
ProbeStartPeriod=1s
END
    docker network create aside >/dev/null
    docker network create backend >/dev/null
    docker run -d --name moved --no-healthcheck --network aside grafana/grafana:standin >/dev/null
    daemon_begin
    turns moved healthy
    sleep 2
    docker network disconnect aside moved
    docker network connect backend moved
    # as long as five probes take: at the old address none of them is answered
    sleep 6
    [ "$(health moved)" = healthy ]
    unsaid 'moved: unhealthy'
    docker rm -f moved >/dev/null
    docker network rm aside backend >/dev/null
}

@test "the published port is the way when the container's address is not" {
    policy_is <<'END'
[Service all]
Match=name:*
ProbeInterval=1s
ProbeTimeout=500ms
ProbeStartPeriod=1s
END
    docker run -d --name published --no-healthcheck -p 127.0.0.1:13000:3000 grafana/grafana:standin >/dev/null
    # plimsolld alone cannot reach it
    inside iptables -A OUTPUT -p tcp --dport 3000 -m owner --gid-owner 4242 -j REJECT
    DAEMON_WRAPPER='setpriv --regid 4242 --keep-groups' daemon_begin
    turns published healthy
    docker exec published touch /run/standin/sick
    because published degraded 'impaired: its database is failing*'
    docker run -d --name private --no-healthcheck grafana/grafana:standin >/dev/null
    because private degraded 'disputed: connection refused (*:3000)*'
    inside iptables -F OUTPUT
    turns private healthy
}

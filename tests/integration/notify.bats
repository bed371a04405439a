#!/usr/bin/env bats
# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# Somebody is told: a container that the kernel kills, all the way to a server, by plimsolld's own child.
# What a sender does with bad servers is tests/sender; what gets into a queue, test-outbox.

bats_require_minimum_version 1.5.0
load helper

setup_file() { engine_begin --images "busybox"; }
teardown_file() { engine_end; }
setup() {
    begin
    export LC_ALL=C.UTF-8 COLUMNS=200
}
teardown() {
    [ -z "${SERVER:-}" ] || kill "$SERVER" 2>/dev/null || true
    end
}

# server_begin - answers 200 in the network of the engine; what it gets stands in T/got, a line each
server_begin() {
    nsenter "--net=$(engine netns)" python3 - "$T" 3>&- 4>&- <<'PYTHON' &
import http.server, sys

class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        with open(sys.argv[1] + "/got", "a", encoding="utf-8") as f:
            f.write(self.path + " " + body.replace("\n", "|") + "\n")
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args):
        pass

s = http.server.HTTPServer(("127.0.0.1", 0), Handler)
with open(sys.argv[1] + "/port", "w", encoding="ascii") as f:
    f.write(str(s.server_port))
s.serve_forever()
PYTHON
    SERVER=$!
    wait_until 10 test -s "$T/port"
}

@test "what happens to a container is told, once; a test is told at once" {
    server_begin
    policy_is <<POLICY
[Notify ops]
Format=text
URL=http://127.0.0.1:$(cat "$T/port")/hook
On=engine-lost restarted ended oom unhealthy
[Service box]
Match=name:box
POLICY
    daemon_begin
    run -0 ctl notify
    [[ $output == *"ops"*"text"*"nothing sent yet"* ]]
    run -0 ctl notify test ops
    [[ $output == *"[Notify ops] works"* ]]
    grep -q '^/hook .*this is a test' "$T/got"
    docker run -d --name box "$BB" sh -c 'exit 3' >/dev/null
    wait_until 15 grep -q '^/hook .*box' "$T/got"
    [ "$(grep -c 'box: ' "$T/got")" = 1 ]
    run -0 ctl --json notify
    [ "$(jq -r '.[0] | "\(.failing) \(.reason) \(.dropped)"' <<<"$output")" = 'false  0' ]
    run -1 ctl notify test nobody
    [[ $output == *"there is no [Notify nobody]"* ]]
}

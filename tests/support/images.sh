#!/usr/bin/env bash
# Container images without a registry: real services out of Debian packages, a busybox, and for the
# services that Debian does not have stand-ins (standin.c) and a Python that repeats answers (replay.py).
#   images.sh build CACHE                  tarballs below CACHE, made once per content of this file
#   images.sh has CACHE                    are they made?
#   images.sh load CACHE SOCKET [NAME…]    into an engine; all of them without a name
#   images.sh tree CACHE DIR NAME…         unpack some into one tree, for chroot(8)
#   images.sh list                         "NAME TAG" of each
# One root file system is unpacked (not installed: no maintainer script runs), and each image takes
# from it the programs it needs and the libraries that the loader says they need.
set -euo pipefail

here=$(cd -P "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)

images_list() {
    cat <<'END'
busybox plimsoll/busybox:1
postgres postgres:debian
redis redis:debian
prometheus prom/prometheus:debian
airflow apache/airflow:2-standin
airflow3 apache/airflow:3-standin
ollama ollama/ollama:standin
grafana grafana/grafana:standin
mlflow mlflow/mlflow:standin
replay plimsoll/replay:1
nginx nginx:debian
pgbouncer pgbouncer/pgbouncer:debian
END
}

# What "docker import --change" sets; one per line.
images_config() {
    case $1 in
    busybox) printf '%s\n' 'CMD ["sh"]' ;;
    postgres)
        printf '%s\n' 'USER 70' 'EXPOSE 5432' 'CMD ["/start"]' 'ENV POSTGRES_USER=postgres' \
            'ENV PGDATA=/var/lib/postgresql/data' 'VOLUME /var/lib/postgresql/data' \
            'HEALTHCHECK --interval=10s --start-period=30s CMD pg_isready -q -h 127.0.0.1'
        ;;
    redis)
        printf '%s\n' 'USER 70' 'EXPOSE 6379' 'WORKDIR /data' 'VOLUME /data' \
            'CMD ["redis-server", "--protected-mode", "no"]'
        ;;
    prometheus)
        printf '%s\n' 'USER 70' 'EXPOSE 9090' 'WORKDIR /prometheus' \
            'CMD ["prometheus", "--config.file=/etc/prometheus/prometheus.yml", "--storage.tsdb.path=/prometheus"]'
        ;;
    airflow | airflow3) printf '%s\n' 'EXPOSE 8080' "CMD [\"/standin\", \"$1\"]" ;;
    ollama) printf '%s\n' 'EXPOSE 11434' 'CMD ["/standin", "ollama"]' ;;
    grafana)
        printf '%s\n' 'EXPOSE 3000' 'CMD ["/standin", "grafana"]' \
            'HEALTHCHECK --interval=10s CMD wget -q -O /dev/null http://127.0.0.1:3000/api/health'
        ;;
    mlflow) printf '%s\n' 'EXPOSE 5000' 'CMD ["/standin", "mlflow"]' ;;
    nginx) printf '%s\n' 'EXPOSE 80' 'CMD ["nginx", "-g", "daemon off;"]' ;;
    pgbouncer) printf '%s\n' 'USER 70' 'EXPOSE 6432' 'CMD ["pgbouncer", "/etc/pgbouncer/pgbouncer.ini"]' ;;
    esac
}

# The host's own release and mirrors, as apt knows them, for mmdebstrap.
images_sources() {
    local codename
    codename=$(. /etc/os-release && printf '%s' "$VERSION_CODENAME")
    # shellcheck disable=SC2016 # apt substitutes these
    apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' |
        awk -v c="$codename" '$2 == c || $2 == c "-updates" || $2 == c "-security" { print "deb", $0 }' |
        sort -u
}

images_key() { cat "$here"/{images.sh,standin.c,replay.py} /etc/os-release <(uname -m) | sha256sum | cut -c1-16; }

# base DIR - what every image has: a shell, users, and the directories that programs expect
base() {
    local dir=$1 applet
    mkdir -p "$dir"/{etc,proc,sys,dev,tmp,run/standin,var/tmp,root,usr/{bin,lib,share}}
    chmod 1777 "$dir/tmp" "$dir/var/tmp"
    ln -s usr/bin "$dir/bin"
    ln -s usr/bin "$dir/sbin"
    ln -s usr/lib "$dir/lib"
    ln -s usr/lib "$dir/lib64"
    printf 'root:x:0:0:root:/root:/bin/sh\nservice:x:70:70::/tmp:/bin/sh\n' >"$dir/etc/passwd"
    printf 'root:x:0:\nservice:x:70:\n' >"$dir/etc/group"
    cp "$busybox" "$dir/usr/bin/busybox"
    for applet in $("$busybox" --list); do
        [ "$applet" = busybox ] || ln -s busybox "$dir/usr/bin/$applet"
    done
}

# take DIR FILE… - files of the root, and the shared libraries that they are linked to
take() {
    local dir=$1 file lib real
    shift
    for file in "$@"; do
        real=${file#"$root"}
        mkdir -p "$dir$(dirname "$real")"
        rm -f "$dir$real"
        cp -L "$file" "$dir$real"
        # the loader of the root itself: the host's libraries may be others
        { "$loader" --library-path "$libs" --list "$file" 2>/dev/null || true; } |
            awk -v r="$root/" '{ for (i = 1; i <= NF; i++) if (index($i, r) == 1) print $i }'
    done | sort -u | while read -r lib; do
        real=${lib#"$root"}
        [ -f "$dir$real" ] || { mkdir -p "$dir$(dirname "$real")" && cp -L "$lib" "$dir$real"; }
    done
    mkdir -p "$dir/lib64"
    [ -f "$dir/lib64/${loader##*/}" ] || cp -L "$loader" "$dir/lib64/"
}

image_busybox() { :; }

image_postgres() {
    local dir=$1 version
    version=$(basename "$root"/usr/lib/postgresql/*)
    take "$dir" "$root"/usr/lib/postgresql/"$version"/bin/{postgres,initdb,psql,pg_isready,pg_ctl} \
        "$root"/usr/lib/postgresql/"$version"/lib/*.so
    mkdir -p "$dir/usr/share/postgresql" "$dir/usr/share/zoneinfo" "$dir/var/lib/postgresql/data" \
        "$dir/var/run"
    cp -r "$root/usr/share/postgresql/$version" "$dir/usr/share/postgresql/"
    cp -rL "$root"/usr/share/zoneinfo/{UTC,Etc} "$dir/usr/share/zoneinfo/"
    ln -s "../lib/postgresql/$version/bin/"{postgres,initdb,psql,pg_isready,pg_ctl} "$dir/usr/bin/"
    chown -R 70:70 "$dir/var/lib/postgresql"
    chmod 700 "$dir/var/lib/postgresql/data"
    cat >"$dir/start" <<'END'
#!/bin/sh
# as the official image: a new cluster for POSTGRES_USER and POSTGRES_DB, then the server
set -e
if [ ! -s "$PGDATA/PG_VERSION" ]; then
    printf '%s' "${POSTGRES_PASSWORD:-postgres}" >/tmp/pw
    initdb -D "$PGDATA" -U "$POSTGRES_USER" --pwfile=/tmp/pw -A scram-sha-256 --no-sync --locale=C -E UTF8
    rm /tmp/pw
    echo "host all all all scram-sha-256" >>"$PGDATA/pg_hba.conf"
    if [ "${POSTGRES_DB:=$POSTGRES_USER}" != postgres ]; then
        echo "CREATE DATABASE \"$POSTGRES_DB\"" |
            postgres --single -j -D "$PGDATA" -c unix_socket_directories=/tmp postgres
    fi
fi
exec postgres -D "$PGDATA" -c listen_addresses='*' -c unix_socket_directories=/tmp "$@"
END
    chmod 755 "$dir/start"
}

image_redis() {
    local dir=$1
    take "$dir" "$root"/usr/bin/{redis-check-rdb,redis-cli}
    # redis-server is a link to the same program
    ln -s redis-check-rdb "$dir/usr/bin/redis-server"
    mkdir -p "$dir/data"
    chown 70:70 "$dir/data"
}

image_prometheus() {
    local dir=$1
    take "$dir" "$root/usr/bin/prometheus"
    mkdir -p "$dir/prometheus" "$dir/etc/prometheus"
    chown 70:70 "$dir/prometheus"
    cat >"$dir/etc/prometheus/prometheus.yml" <<'END'
global:
  scrape_interval: 15s
scrape_configs:
  - job_name: prometheus
    static_configs:
      - targets: ["127.0.0.1:9090"]
END
}

# The programs that the services' command lines begin with are all the one that repeats answers.
image_replay() {
    local dir=$1 python name
    python=$(find "$root/usr/bin" -name 'python3.*[0-9]' -print -quit)
    take "$dir" "$python" "$root"/usr/lib/"${python##*/}"/lib-dynload/*.so
    cp -r "$root/usr/lib/${python##*/}" "$dir/usr/lib/"
    rm -rf "$dir/usr/lib/${python##*/}"/{ensurepip,lib2to3,pydoc_data,distutils,unittest}
    ln -s "${python##*/}" "$dir/usr/bin/python3"
    cp "$here/replay.py" "$dir/replay"
    chmod 755 "$dir/replay"
    for name in airflow grafana-server mlflow ollama prometheus; do ln -s /replay "$dir/usr/bin/$name"; done
    # compiled once, and not at each start
    chroot "$dir" /usr/bin/python3 -c 'import runpy; runpy.run_path("/replay", run_name="compile")'
}

image_nginx() {
    local dir=$1
    take "$dir" "$root/usr/sbin/nginx"
    ln -s ../sbin/nginx "$dir/usr/bin/nginx"
    mkdir -p "$dir"/etc/nginx "$dir"/var/{lib,log}/nginx "$dir/usr/share/nginx"
    ln -s /dev/stderr "$dir/var/log/nginx/error.log"
}

image_pgbouncer() {
    take "$1" "$root/usr/sbin/pgbouncer"
    ln -s ../sbin/pgbouncer "$1/usr/bin/pgbouncer"
}

image_standin() {
    cp "$standin" "$1/standin"
}
image_airflow() { image_standin "$@"; }
image_airflow3() { image_standin "$@"; }
image_ollama() { image_standin "$@"; }
image_grafana() { image_standin "$@"; }
image_mlflow() { image_standin "$@"; }

images_build() {
    local cache=$1 key work name tag tool
    mkdir -p "$cache"
    cache=$(cd "$cache" && pwd)
    key=$(images_key)
    [ ! -f "$cache/$key/complete" ] || return 0
    for tool in mmdebstrap busybox gcc; do
        command -v "$tool" >/dev/null || { echo "images.sh: $tool is missing" >&2 && return 1; }
    done
    [ "$(id -u)" = 0 ] || { echo "images.sh: only root can unpack images" >&2 && return 1; }
    # not below the checkout: the path may have spaces, which mmdebstrap does not take
    work=$(mktemp -d /var/tmp/plimsoll-images.XXXXXX)
    # shellcheck disable=SC2064 # this very directory
    trap "rm -rf '$work'" EXIT
    trap 'exit 130' INT TERM HUP
    root=$work/root standin=$work/standin busybox=$(command -v busybox)
    gcc -O2 -static -Wall -Wextra -Werror -o "$standin" "$here/standin.c"
    images_sources >"$work/sources.list"
    [ -s "$work/sources.list" ] ||
        { echo "images.sh: apt knows no mirror of this release (try: apt-get update)" >&2 && return 1; }
    mmdebstrap --quiet --variant=extract --aptopt='APT::Install-Recommends "false"' \
        --dpkgopt='path-exclude=/usr/share/javascript/*' --dpkgopt='path-exclude=/usr/share/doc/*' \
        --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/lib/*/libLLVM*' \
        --include=postgresql,redis-server,prometheus,nginx,pgbouncer,python3 \
        "$(. /etc/os-release && printf '%s' "$VERSION_CODENAME")" "$root" "$work/sources.list"
    # shellcheck disable=SC2034 # used by take()
    loader=$(find -L "$root"/lib* -maxdepth 3 -name 'ld-linux*.so.*' -print -quit)
    libs=$(find "$root"/lib "$root"/usr/lib -name 'lib*.so.*' -printf '%h\n' 2>/dev/null | sort -u | paste -sd:)
    mkdir -p "$work/out"
    while read -r name tag; do
        base "$work/$name"
        "image_$name" "$work/$name"
        tar -C "$work/$name" -cf "$work/out/$name.tar" .
        rm -rf "${work:?}/$name"
    done < <(images_list)
    find "$cache" -mindepth 1 -maxdepth 1 -exec rm -rf {} + # of other contents
    mkdir "$cache/$key"
    mv "$work"/out/*.tar "$cache/$key/"
    : >"$cache/$key/complete"
}

images_has() { [ -f "$1/$(images_key)/complete" ]; }

# The programs of images, for processes of this host: nothing has to be installed for them.
images_tree() {
    local dir tree=$2 name
    dir=$1/$(images_key)
    shift 2
    [ -f "$dir/complete" ] || { echo "images.sh: nothing built" >&2 && return 1; }
    mkdir -p "$tree"
    for name in "$@"; do
        tar -C "$tree" -xf "$dir/$name.tar"
    done
    mkdir -p "$tree/dev/shm"
    chmod 1777 "$tree/dev/shm"
    mknod -m 666 "$tree/dev/null" c 1 3
    mknod -m 666 "$tree/dev/urandom" c 1 9
}

images_load() {
    local cache=$1 socket=$2 dir name tag config=() line
    shift 2
    dir=$cache/$(images_key)
    [ -f "$dir/complete" ] || { echo "images.sh: nothing built in $cache" >&2 && return 1; }
    while read -r name tag; do
        [ $# -eq 0 ] || case " $* " in *" $name "*) ;; *) continue ;; esac
        config=()
        while IFS= read -r line; do
            config+=(--change "$line")
        done < <(printf '%s\n' 'ENV PATH=/usr/bin' && images_config "$name")
        docker -H "unix://$socket" import "${config[@]}" "$dir/$name.tar" "$tag" >/dev/null
    done < <(images_list)
}

case ${1:-} in
build | has | load | tree | list)
    [ "$1" = list ] || [ $# -ge 2 ] || { echo "images.sh $1: which cache?" >&2 && exit 2; }
    cmd=images_$1
    shift
    "$cmd" "$@"
    ;;
*)
    echo "usage: images.sh build CACHE | has CACHE | load CACHE SOCKET [NAME…] |" \
        "tree CACHE DIR NAME… | list" >&2
    exit 2
    ;;
esac

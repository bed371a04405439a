# shellcheck shell=bash
# Programs out of a Debian suite that is not the host's. Sourced; defines functions, does nothing.

# debian_mirror - the host's own, where it is Debian's
debian_mirror() {
    local uri=''
    # shellcheck disable=SC2016 # apt substitutes these
    [ "$(. /etc/os-release && printf '%s' "$ID")" != debian ] ||
        uri=$(apt-get indextargets --format '$(REPO_URI) $(RELEASE)' 'Created-By: Packages' |
            awk -v c="$(. /etc/os-release && printf '%s' "$VERSION_CODENAME")" '$2 == c && !u { u = $1 } END { print u }')
    printf '%s' "${uri:-http://deb.debian.org/debian}"
}

# debian_unpack SUITE ROOT PACKAGE… - with what they depend on; not installed: no maintainer script runs.
# ROOT must have no spaces in it, which mmdebstrap does not take. It hands a shell a descriptor by its
# number, which dash takes only up to 9: those of bats and a lock's are closed.
debian_unpack() {
    local suite=$1 root=$2 IFS=,
    shift 2
    # the index of unstable is valid for a week; what is older than that will do as well
    mmdebstrap --quiet --variant=extract --aptopt='Acquire::Check-Valid-Until "false"' \
        --aptopt='APT::Install-Recommends "false"' --dpkgopt='path-exclude=/usr/share/doc/*' \
        --dpkgopt='path-exclude=/usr/share/man/*' --include="$*" "$suite" "$root" \
        "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $(debian_mirror) $suite main" \
        3>&- 4>&- 9>&-
}

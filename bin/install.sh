# Sourced by bin/run, bin/test and bin/corrente: what they need on the machine, and the place they run from.
#
# Sets: root (the checkout), place (where code that other users can read is: the checkout itself, or a copy of it),
# python (that place's interpreter). Everything here may run again and again, without input, as root or not.

set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
place=$root
python=$root/.venv/bin/python
log=/dev/null
policies_placed=

# FreeRADIUS and PostgreSQL are real parts, never imitated. For bin/test alone: git, because some tests read the tree;
# tshark, which reads our packets with dictionaries that are not ours; sshd and FRR's vtysh, a real command line; devices
# of others that our changes are sent to, in network namespaces with a packet filter between; pppd and pppoe-server in a
# kernel of their own, for the machine's may have no PPP; poppler's tools and zbar, which read papers and barcodes back;
# Postfix and Dovecot, which take our mail, bounce it and show it by IMAP; Chromium, which shows the console, and its shell without windows,
# which shows most pages for a third of the work.
packages_run=(python3 python3-venv freeradius freeradius-python3 postgresql-15 iproute2 procps
    fonts-inter fonts-dejavu-core fonts-droid-fallback)
packages_test=("${packages_run[@]}" freeradius-utils freeradius-postgresql git tshark openssh-server frr
    hostapd wpasupplicant nftables charon-systemd strongswan-swanctl libcharon-extra-plugins libcharon-extauth-plugins
    libstrongswan-standard-plugins poppler-utils zbar-tools postfix dovecot-core dovecot-imapd
    curl openssl chromium chromium-headless-shell)
# Debian has that kernel for PCs alone; the test says so elsewhere.
[ "$(uname -m)" != x86_64 ] || packages_test+=(user-mode-linux kmod ppp pppoe)
# Package to service: what would start by itself at the next boot, with its stock configuration.
declare -A service_of=([freeradius]=freeradius [openssh-server]=ssh [frr]=frr
    [hostapd]=hostapd [wpasupplicant]=wpa_supplicant [charon-systemd]=strongswan [postfix]=postfix [dovecot-core]=dovecot)

services_policy=/usr/sbin/policy-rc.d
cluster_policy=/etc/postgresql-common/createcluster.d/corrente-install.conf
policy_mark='# made by corrente bin/install.sh for the time of one installation'

say() { printf '%s\n' "$*"; }

fail() {
    printf '\n%s\n' "$*" >&2
    exit 1
}

# ---------------------------------------------------------------------------------------------------------------
# Progress: one bar on a terminal, a line a step without one
# ---------------------------------------------------------------------------------------------------------------
show_progress() { # percent, text
    [ -t 1 ] || return 0
    local width=30 filled
    filled=$(($1 * width / 100))
    printf '\r  [%-*s] %3d%%  %-40.40s' "$width" "$(printf '%*s' "$filled" '' | tr ' ' '#')" "$1" "$2"
}

end_progress() { [ ! -t 1 ] || printf '\r%*s\r' 90 ''; }

# ---------------------------------------------------------------------------------------------------------------
# Debian packages
# ---------------------------------------------------------------------------------------------------------------
as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif [ -t 0 ]; then
        sudo "$@"
    else
        sudo -n "$@"
    fi
}

remove_policies() {
    local file
    for file in "$services_policy" "$cluster_policy"; do
        if grep -qsF "$policy_mark" "$file"; then as_root rm -f "$file"; fi
    done
}

# Packages must neither start a server nor make a database cluster here: Corrente starts its own, on a socket of its own.
place_policies() {
    remove_policies # those of a run that was killed
    as_root mkdir -p "${cluster_policy%/*}"
    printf '%s\ncreate_main_cluster = false\n' "$policy_mark" | as_root tee "$cluster_policy" >/dev/null
    [ ! -e "$services_policy" ] || return 0
    printf '#!/bin/sh\n%s\ncase "$1" in freeradius*|postgresql*|ssh*|frr*|hostapd*|wpa_supplicant*|strongswan*|postfix*|dovecot*) exit 101 ;; esac\nexit 0\n' "$policy_mark" |
        as_root tee "$services_policy" >/dev/null
    as_root chmod 755 "$services_policy"
}

# One question for all of them, because it is asked at every start.
missing_of() { # package names
    local installed package
    installed=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' "$@" 2>/dev/null || true)
    for package in "$@"; do
        grep -qx "installed $package" <<<"$installed" || printf '%s\n' "$package"
    done
}

run_apt() { # text, apt-get arguments
    local text=$1 kind percent what code=0
    shift
    # apt closes its status descriptor for dpkg. Were that 1, package scripts would have no output to write to, and the
    # first one that writes would fail. sudo passes 0 to 2 only: so 3 is made behind it, and 1 goes where 2 goes.
    as_root env DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 sh -c 'exec 3>&1 1>&2; exec apt-get "$@"' apt-get \
        -q -y -o APT::Status-Fd=3 -o Dpkg::Use-Pty=0 -o Dpkg::Options::=--force-confold -o DPkg::Lock::Timeout=120 \
        "$@" </dev/null 2>>"$log" |
        while IFS= read -r line; do
            case $line in
                dlstatus:* | pmstatus:*)
                    IFS=: read -r kind what percent _ <<<"$line"
                    [ "$kind" = dlstatus ] && what=download
                    show_progress "${percent%%.*}" "$text ${what%%:*}"
                    ;;
                *) printf '%s\n' "$line" >>"$log" ;;
            esac
        done || code=$?
    end_progress
    return "$code"
}

explain_apt() {
    grep -E -A1 '^(E:|W:|Err:|dpkg: error)' "$log" | grep -v '^--$' | tail -8 >&2 || tail -8 "$log" >&2
    fail "$1 Try it by hand: apt-get install ${*:2}
The whole log: $log"
}

disable_service() { # its name; with systemd or without
    as_root systemctl disable "$1" >>"$log" 2>&1 || as_root update-rc.d "$1" disable >>"$log" 2>&1 || true
}

install_packages() { # package names
    local missing package
    mapfile -t missing < <(missing_of "$@")
    [ "${#missing[@]}" -gt 0 ] || return 0
    command -v apt-get >/dev/null || fail "These Debian packages are missing, and there is no apt-get here: ${missing[*]}"
    if [ "$(id -u)" != 0 ] && ! command -v sudo >/dev/null; then
        fail "These Debian packages are missing: ${missing[*]}
You are not root and there is no sudo. As root, run: apt-get install ${missing[*]}"
    fi
    say "Installing Debian packages: ${missing[*]}"
    if [ "$(id -u)" != 0 ] && [ ! -t 0 ] && ! sudo -n true 2>/dev/null; then
        fail "sudo asks for a password and there is no terminal to give it. As root, run: apt-get install ${missing[*]}"
    fi
    policies_placed=yes
    place_policies
    # What an interrupted installation left half done would stop this one; otherwise this does nothing.
    as_root env DEBIAN_FRONTEND=noninteractive dpkg --force-confold --configure -a </dev/null >>"$log" 2>&1 || true
    # A list that fails to load matters only if the packages then can't be found.
    run_apt "reading package lists" update || say "  some package lists could not be read; going on"
    run_apt "installing" install --no-install-recommends "${missing[@]}" || explain_apt "apt-get failed." "${missing[@]}"
    # A fresh freeradius would start at the next boot and take our ports. One that was there before stays as it is.
    for package in "${missing[@]}"; do
        [ -z "${service_of[$package]:-}" ] || disable_service "${service_of[$package]}"
    done
    remove_policies
    policies_placed=
}

# ---------------------------------------------------------------------------------------------------------------
# Where it runs: PostgreSQL and FreeRADIUS have users of their own, who must reach the code
# ---------------------------------------------------------------------------------------------------------------
others_can_read() {
    [ "$(id -u)" = 0 ] || return 0 # all of it runs as the caller
    setpriv --reuid=65534 --regid=65534 --clear-groups test -r "$root/schema.sql" -a -x "$root" 2>/dev/null
}

link_into() { # name in the checkout, target
    if [ -L "$root/$1" ]; then
        ln -sfn "$2" "$root/$1"
    elif [ -e "$root/$1" ]; then
        [ ! -e "$2" ] || fail "Both $root/$1 and $2 hold data. Move one of them away and start again."
        mv "$root/$1" "$2" && ln -s "$2" "$root/$1"
    else
        ln -s "$2" "$root/$1"
    fi
}

# A checkout in a closed directory (such as root's home): a copy of the code, the environment and the state go to a
# place that the service users can enter, and the checkout gets links to them.
choose_place() { # run | test
    others_can_read && return 0
    local home
    home=/var/lib/corrente/$(printf %s "$root" | sha256sum | cut -c1-12)
    mkdir -p "$home"
    chmod 755 /var/lib/corrente "$home"
    printf '%s\n' "$root" >"$home/checkout"
    link_into .venv "$home/venv"
    link_into var "$home/state"
    mkdir -p "$home/state"
    place=$home/code
    python=$place/.venv/bin/python
    copy_code "$1"
}

# Names, sizes and times of all files: one line that tells whether anything changed.
tree_stamp() {
    (cd "$root" && find . \( -name .git -o -name .venv -o -name var -o -name __pycache__ -o -name '.*_cache' \) -prune \
        -o -type f -printf '%P %s %T@ %m\n') | LC_ALL=C sort | sha256sum
}

# Made beside the old copy and then put in its place: what starts from there never finds half of it.
copy_code() { # run | test
    local stamp
    stamp=$(tree_stamp)
    # Tests read what git knows too, which the stamp does not cover.
    if [ "$1" = run ] && [ "$stamp" = "$(cat "$place/.copied" 2>/dev/null)" ]; then return 0; fi
    rm -rf "$place.new" "$place.old"
    mkdir "$place.new"
    tar -C "$root" --exclude=./.venv --exclude=./var --exclude=__pycache__ --exclude='./.*_cache' -cf - . |
        tar -C "$place.new" --no-same-owner -xf -
    ln -s ../venv "$place.new/.venv"
    ln -s ../state "$place.new/var"
    printf '%s\n' "$stamp" >"$place.new/.copied"
    chmod -R u=rwX,go=rX "$place.new"
    [ ! -e "$place" ] || mv "$place" "$place.old"
    mv "$place.new" "$place"
    rm -rf "$place.old"
}

# ---------------------------------------------------------------------------------------------------------------
# Python packages: for Debian's own interpreter, because that is the one FreeRADIUS embeds
# ---------------------------------------------------------------------------------------------------------------
stamp_of() { sha256sum "$root/requirements/$1.txt" | cut -d' ' -f1; }

# The test environment holds the other one too.
is_ready() { # run | test
    local stamp=$root/.venv/corrente-stamp
    [ -x "$root/.venv/bin/python" ] && "$root/.venv/bin/python" -c '' 2>/dev/null &&
        grep -qsx "$1 $(stamp_of "$1")" "$stamp"
}

install_python() { # runtime | test
    is_ready "$1" && return 0
    local version total done_count=0 stamp
    version=$(/usr/bin/python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    [ "$version" = 3.11 ] || fail "/usr/bin/python3 is Python $version; Corrente runs on Debian 12 with its Python 3.11."
    total=$(grep -c '==' "$root/requirements/$1.txt")
    say "Installing $total Python packages into .venv"
    # Kept when it works, so that a changed list costs only what changed.
    if ! { "$root/.venv/bin/python" -m pip --version || "$root/.venv/bin/python" -m ensurepip; } >/dev/null 2>&1; then
        /usr/bin/python3 -m venv --clear "$(readlink -f "$root/.venv" || printf %s "$root/.venv")" >>"$log" 2>&1 ||
            { tail -5 "$log" >&2; fail "The Python environment .venv could not be made (is the disk full?)."; }
    fi
    rm -f "$root/.venv/corrente-stamp"
    # -I: what the caller's environment says of Python paths does not count.
    # http-ece and localstripe, a test's judge, come as source alone; their hashes are known like the others'.
    if ! "$root/.venv/bin/python" -I -m pip install --no-input --disable-pip-version-check --no-color --compile \
        --progress-bar off --only-binary :all: --no-binary http-ece,localstripe --require-hashes -r "$root/requirements/$1.txt" </dev/null 2>>"$log" |
        while IFS= read -r line; do
            printf '%s\n' "$line" >>"$log"
            case $line in
                Collecting* | Requirement\ already*)
                    done_count=$((done_count + 1))
                    show_progress $((done_count * 90 / (total + 1))) "${line:0:40}"
                    ;;
                Installing*) show_progress 92 "unpacking and compiling" ;;
            esac
        done; then
        end_progress
        grep -E 'ERROR|error:' "$log" | tail -5 >&2 || tail -5 "$log" >&2
        fail "pip could not install requirements/$1.txt. The whole log: $log"
    fi
    end_progress
    stamp=$(printf 'runtime %s\n' "$(stamp_of runtime)")
    [ "$1" = runtime ] || stamp+=$(printf '\n%s %s\n' "$1" "$(stamp_of "$1")")
    printf '%s\n' "$stamp" >"$root/.venv/corrente-stamp"
}

# ---------------------------------------------------------------------------------------------------------------
# For bin/test alone: clients in JavaScript of what the tests imitate. Node and its npm come with the Python packages:
# Debian's npm brings hundreds of packages, and can't be installed beside a Node from elsewhere
# ---------------------------------------------------------------------------------------------------------------
install_node() {
    local folder=$root/.venv/node stamp
    stamp=$(cat "$root"/tests/node/package.json "$root"/tests/node/package-lock.json | sha256sum | cut -d' ' -f1)
    grep -qsx "$stamp" "$folder/corrente-stamp" && return 0
    say "Installing $(grep -c '"node_modules/' "$root/tests/node/package-lock.json") npm packages into .venv/node"
    rm -rf "$folder" && mkdir -p "$folder"
    cp "$root"/tests/node/package.json "$root"/tests/node/package-lock.json "$folder/"
    # Exactly what the lock file names, by its digests; no package's own script is run.
    if ! (cd "$folder" && "$root/.venv/bin/npm" ci --ignore-scripts --no-audit --no-fund </dev/null) >>"$log" 2>&1; then
        tail -5 "$log" >&2
        fail "npm could not install tests/node/package-lock.json. The whole log: $log"
    fi
    printf '%s\n' "$stamp" >"$folder/corrente-stamp"
}

# However it ends: no policy stays, and no log that says nothing.
end_install() {
    [ -z "$policies_placed" ] || remove_policies
    if [ -f "$log" ] && [ ! -s "$log" ]; then rm -f "$log"; fi
}

# All of it. Two at once wait for each other.
install_for() { # run | test
    local waiting
    log=$(mktemp "${TMPDIR:-/tmp}/corrente-install.XXXXXX")
    trap end_install EXIT
    exec {waiting}<"$root/requirements"
    flock -n "$waiting" || { say "Another bin/run or bin/test is installing; waiting for it"; flock "$waiting"; }
    case $1 in
        run) install_packages "${packages_run[@]}" ;;
        test) install_packages "${packages_test[@]}" ;;
    esac
    # Every setting with its default, each commented out: a file to edit, which changes nothing.
    [ -e "$root/corrente.toml" ] || install -m 644 "$root/corrente.toml.example" "$root/corrente.toml"
    choose_place "$1"
    case $1 in
        run) install_python runtime ;;
        test) install_python test && install_node ;;
    esac
    exec {waiting}<&-
    rm -f "$log"
    trap - EXIT
}

# Sourced by scripts that may have to install a package of the distribution (Debian, Ubuntu).

# install_packages NAME...: true when they are installed afterwards. Installs only as root or with sudo that asks
# nothing, and says what it does. TOCSIN_NO_INSTALL=1 forbids it.
install_packages() {
    [ -z "${TOCSIN_NO_INSTALL:-}" ] && command -v apt-get >/dev/null 2>&1 || return 1
    as_root=
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null || return 1
        as_root="sudo -n"
    fi
    printf 'Installing from the distribution: %s\n' "$*"
    $as_root apt-get -qq update >/dev/null 2>&1 || true
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends install "$@" >/dev/null 2>&1
}

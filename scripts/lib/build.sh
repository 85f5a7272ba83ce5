# shellcheck shell=bash
# Configures and builds one preset with all cores. Sourced by scripts/demo and scripts/test.
#
#   build_preset PRESET [TARGET...]    into build/PRESET; nothing to do is silent
# Needs: root_dir (the source tree).

# Turns ninja's lines into one that counts on a terminal, or one every tenth elsewhere.
build_progress() {  # build_progress PRESET
  local preset=$1 line done_count total tenth last=-1 width=0
  while IFS= read -r line; do
    [[ $line =~ ^@([0-9]+)/([0-9]+)@ ]] || continue
    done_count=${BASH_REMATCH[1]} total=${BASH_REMATCH[2]}
    [ "$total" -gt 1 ] || continue  # only a look at what there is to do
    if [ -t 2 ]; then
      printf '\rbuilding %s: %d of %d' "$preset" "$done_count" "$total" >&2
      width=1
    else
      tenth=$((10 * done_count / total))
      [ "$tenth" = "$last" ] || echo "building $preset: $done_count of $total" >&2
      last=$tenth
    fi
  done
  [ $width = 0 ] || echo >&2
}

build_preset() {
  local preset=$1 log target_words=()
  shift
  [ $# = 0 ] || target_words=(--target "$@")
  mkdir -p "$root_dir/build"
  log=$root_dir/build/$preset.log
  if ! (cd "$root_dir" && cmake --preset "$preset") >"$log" 2>&1; then
    grep -A 12 'CMake Error' "$log" >&2 || tail -n 20 "$log" >&2
    echo "configuring $preset failed; all of it is in $log" >&2
    return 1
  fi
  # Lines appear as work ends; ninja's own words for it, in a form that the counter knows.
  if ! (cd "$root_dir" && NINJA_STATUS='@%f/%t@ ' cmake --build --preset "$preset" --parallel "$(nproc)" "${target_words[@]}" 2>&1 |
      tee "$log" | build_progress "$preset"; exit "${PIPESTATUS[0]}"); then
    sed -n '/FAILED:/,$p' "$log" | grep -v '^@' | head -n 60 >&2
    echo "building $preset failed; all of it is in $log" >&2
    return 1
  fi
}

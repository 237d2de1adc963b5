#!/usr/bin/env bash
# Type-checks the files that need Apple's frameworks where there are none, against the shims beside this script.
# usage: check.sh MODULES OUT   (MODULES: where `swift build` put its modules; OUT: a folder for what is made here)
# Says `ok NAME` or `not ok NAME` for each thing it checks, after what the compiler says about it.
set -u
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
package=$here/.. sample=$here/../../../ios-sample
modules=$1 out=$2
rm -rf "$out" && mkdir -p "$out" || exit 1
compile=(swiftc -swift-version 6 -parse-as-library -warnings-as-errors -I "$out" -I "$modules"
  -Xcc "-fmodule-map-file=$package/Generated/TurnstoneFFIHeaders/include/module.modulemap")
failed=0

check() {
  local name=$1
  shift
  if "$@" 2>&1; then echo "ok $name"; else echo "not ok $name" && failed=1; fi
}

module() { check "$1" "${compile[@]}" -emit-module -module-name "$1" -o "$out/$1.swiftmodule" "${@:2}"; }

for shim in "$here"/Shims/*.swift; do
  module "$(basename "$shim" .swift)" "$shim"
done
for file in "$package"/Sources/TurnstoneHost/Apple/*.swift "$sample"/App/*.swift; do
  check "parse_$(basename "$file" .swift)" swiftc -frontend -parse "$file"
done
module TurnstoneHost $(find "$package/Sources/TurnstoneHost" -name '*.swift')
module NotesModel "$sample"/Model/Sources/NotesModel/*.swift
check Notes "${compile[@]}" -typecheck -module-name Notes "$sample"/App/*.swift
check quickstart "${compile[@]}" -typecheck -module-name Quickstart "$here/Quickstart.swift"
# What would never turn red says nothing: a wrong call must be refused.
wrong() { ! "${compile[@]}" -typecheck -module-name Wrong "$here/Wrong.swift" >/dev/null 2>&1; }
check a_wrong_call_is_refused wrong
exit $failed

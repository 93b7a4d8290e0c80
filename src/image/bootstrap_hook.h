#pragma once

namespace gantry::image {

/// Run by mmdebstrap with the new root in $1, when the essential packages are there: no service starts when a package
/// is installed, now and in builds (invoke-rc.d(8)). Needs --skip=chroot/policy-rc.d, or mmdebstrap removes the file.
inline constexpr char kPolicyHook[] = R"sh(set -e
printf '#!/bin/sh\n# Installing a package starts no service in an image.\nexit 101\n' > "$1/usr/sbin/policy-rc.d"
chmod 0755 "$1/usr/sbin/policy-rc.d"
)sh";

/// Run with the new root in $1 when all packages are configured. Makes the image one to build on: downloaded packages
/// do not stay, nothing of this machine (its name, its resolver) is in it, and keys that the sources name are there.
///
/// No apt hooks (DPkg::Post-Invoke and the like) here: mmdebstrap still runs this machine's apt with the new root's
/// configuration afterwards, and apt would run them on this machine.
inline constexpr char kBootstrapHook[] = R"sh(set -e
root="$1"
cat > "$root/etc/apt/apt.conf.d/80gantry-image" <<'EOF'
Acquire::Languages "none";
Acquire::GzipIndexes "true";
APT::AutoRemove::SuggestsImportant "false";
APT::Keep-Downloaded-Packages "false";
EOF
: > "$root/etc/hostname"
: > "$root/etc/resolv.conf"
for key in $GANTRY_KEYS; do
  [ -e "$root$key" ] || install -D -m 0644 "$key" "$root$key"
done
)sh";

}  // namespace gantry::image

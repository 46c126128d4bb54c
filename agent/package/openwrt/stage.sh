# The files of the package for OpenWrt, the same for opkg and apk; read with `.`.
# shellcheck shell=sh

# stage_openwrt FOLDER BINARY: lays the files out below the folder.
stage_openwrt() {
  put 0755 "$2" "$1/usr/sbin/$name"
  put 0755 "$package_dir/openwrt/$name.init" "$1/etc/init.d/$name"
  put 0600 "$package_dir/openwrt/$name.config" "$1/etc/config/$name"
  put 0644 "$package_dir/openwrt/$name.capabilities.json" "$1/etc/capabilities/$name.json"
  put 0644 "$package_dir/openwrt/$name.acl.json" "$1/usr/share/acl.d/$name.json"
  put 0644 "$package_dir/openwrt/$name.keep" "$1/lib/upgrade/keep.d/$name"
}

# openwrt_arch TARGET: the name of OpenWrt's packages for the commonest devices of that kind. The
# program is static and runs on all of them; only the name in the package must be the device's.
openwrt_arch() {
  case $1 in
    arm64) echo aarch64_cortex-a53 ;;
    armv7) echo arm_cortex-a7_neon-vfpv4 ;;
    mipsel) echo mipsel_24kc ;;
    mips) echo mips_24kc ;;
    x86_64) echo x86_64 ;;
    *) fail "no target $1; use one of arm64, armv7, mipsel, mips, x86_64" ;;
  esac
}

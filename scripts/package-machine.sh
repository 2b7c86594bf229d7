#!/usr/bin/env bash
# Becomes a small machine: systemd as process 1 on the bare Debian that scripts/bootstrap.sh keeps, all of it in memory.
# Called by scripts/test-package.sh in namespaces of its own, which end with it.
#
#   scripts/package-machine.sh ROOT_TAR MEGABYTES
set -euo pipefail

tar=$1 megabytes=$2
root=$(mktemp -d)
mount -t tmpfs -o "size=${megabytes}M,mode=755" root "$root"
tar -C "$root" -xf "$tar"
cd "$root"
mount -t proc proc proc
mount -t sysfs -o ro sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=755 dev dev
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
for device in null zero full random urandom tty; do
    : >"dev/$device"
    mount --bind "/dev/$device" "dev/$device"
done
mount -t tmpfs -o mode=755 run run
: >etc/machine-id
mkdir old
pivot_root . old
umount -l /old
# As process 1 of a whole machine does: credentials are mounted by a child.
mount --make-rshared /
exec env -i container=latchkey PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --log-target=null

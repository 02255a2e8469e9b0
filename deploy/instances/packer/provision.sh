#!/bin/bash
# Turns a plain Ubuntu 20.04 into a DL1 container instance: docker, driver and container runtime of one SynapseAI
# release, hugepages, memlock, the ECS agent. Run by Packer as root. Wants SYNAPSEAI and BUILD (1.11.0, 587), HUGEPAGES
# and REGION.
set -euo pipefail
export DEBIAN_FRONTEND=noninteractive
version=$SYNAPSEAI-$BUILD

# A new kernel needs its driver built anew, and the first boot with it would find no cards.
systemctl disable --now unattended-upgrades.service apt-daily.timer apt-daily-upgrade.timer
apt-get update
apt-get install -y docker.io curl gnupg lsb-release dkms libelf-dev "linux-headers-$(uname -r)"
apt-mark hold linux-aws linux-image-aws linux-headers-aws

curl -fsS https://vault.habana.ai/artifactory/api/gpg/key/public | gpg --dearmor -o /usr/share/keyrings/habana.gpg
echo "deb [signed-by=/usr/share/keyrings/habana.gpg] https://vault.habana.ai/artifactory/debian $(lsb_release -cs) main" \
  >/etc/apt/sources.list.d/habana.list
apt-get update
for package in firmware firmware-tools dkms thunk graph container-runtime; do
  apt-get install -y "habanalabs-$package=$version"
  apt-mark hold "habanalabs-$package"
done

cat >/etc/sysctl.d/90-habana.conf <<SYSCTL
vm.nr_hugepages=$HUGEPAGES
kernel.numa_balancing=0
SYSCTL
cat >/etc/docker/daemon.json <<'DOCKER'
{
  "default-runtime": "habana",
  "runtimes": {"habana": {"path": "/usr/bin/habana-container-runtime", "runtimeArgs": []}},
  "default-ulimits": {"memlock": {"Name": "memlock", "Soft": -1, "Hard": -1}}
}
DOCKER

# A container that does not say which cards it wants gets none. The runtime's own default, up to 1.22, is all eight.
for config in /etc/habana-container-runtime/config.toml /etc/habanalabs-container-runtime/config.toml; do
  if [ -f "$config" ]; then
    sed -i '/^#\? *visible_devices_all_as_default/d' "$config"
    sed -i '1i visible_devices_all_as_default = false' "$config"
  fi
done

deb=$(mktemp --suffix=.deb)
curl -fsS -o "$deb" "https://s3.$REGION.amazonaws.com/amazon-ecs-agent-$REGION/amazon-ecs-init-latest.amd64.deb"
dpkg -i "$deb"
rm -f "$deb"
systemctl enable docker.service

# With cards at hand, the image is not made where they do not all answer.
if [ -e /dev/hl0 ] || [ -e /dev/accel/accel0 ]; then
  cards=$(hl-smi -Q index -f csv,noheader | wc -l)
  [ "$cards" -eq 8 ] || { echo "hl-smi shows $cards of 8 cards" >&2; exit 1; }
fi

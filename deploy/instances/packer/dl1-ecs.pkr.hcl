# An AMI for DL1 container instances with the driver of one SynapseAI release.
#   packer init . && packer build -var synapseai=1.11.0 -var synapseai_build=587 .
# The image's SynapseAI and the driver's must be of one major.minor, so there is one AMI per release. Its name says which,
# and `controller fleet` reads it there.

packer {
  required_plugins {
    amazon = {
      source  = "github.com/hashicorp/amazon"
      version = ">= 1.2.8, < 2.0.0"
    }
  }
}

variable "synapseai" {
  type        = string
  default     = "1.11.0"
  description = "SynapseAI release of the driver: that of the images that are to run."
}

variable "synapseai_build" {
  type        = number
  default     = 587
  description = "Habana's build number of that release."
}

variable "hugepages" {
  type        = number
  default     = 21000
  description = "Pages of 2 MiB for the driver: 15000 up to SynapseAI 1.7, 21000 from 1.8 on."
}

variable "region" {
  type    = string
  default = "us-west-2"
}

variable "builder_instance_type" {
  type        = string
  default     = "c5.4xlarge"
  description = "The driver is built on any x86_64 instance; on a dl1.24xlarge the cards are tried, too."
}

data "amazon-ami" "ubuntu" {
  region      = var.region
  owners      = ["099720109477"]
  most_recent = true
  filters = {
    name                = "ubuntu/images/hvm-ssd/ubuntu-focal-20.04-amd64-server-*"
    root-device-type    = "ebs"
    virtualization-type = "hvm"
  }
}

source "amazon-ebs" "dl1" {
  region        = var.region
  instance_type = var.builder_instance_type
  source_ami    = data.amazon-ami.ubuntu.id
  ssh_username  = "ubuntu"
  ami_name      = "ecs-dl1-synapseai-${var.synapseai}-${formatdate("YYYYMMDDhhmmss", timestamp())}"

  tags = {
    Name               = "ecs-dl1-synapseai-${var.synapseai}"
    "habana.synapseai" = var.synapseai
  }

  # A Gaudi image has some 8 GB, and the ones before it stay.
  launch_block_device_mappings {
    device_name           = "/dev/sda1"
    volume_size           = 200
    volume_type           = "gp3"
    iops                  = 8000
    throughput            = 500
    delete_on_termination = true
  }

  metadata_options {
    http_tokens = "required"
  }
}

build {
  sources = ["source.amazon-ebs.dl1"]

  provisioner "shell" {
    script          = "${path.root}/provision.sh"
    execute_command = "sudo -E bash -c '{{ .Vars }} bash {{ .Path }}'"
    environment_vars = [
      "SYNAPSEAI=${var.synapseai}",
      "BUILD=${var.synapseai_build}",
      "HUGEPAGES=${var.hugepages}",
      "REGION=${var.region}",
    ]
  }
}

"""Deployment steps: commands started on this machine and on others."""

import asyncio
import os
import subprocess


def archive(folder: str, target: str) -> int:
    done = subprocess.run(
        f"tar czf {target} {folder}",
        check=False,
        shell=True,
    )
    return done.returncode


def remove_release(name: str) -> None:
    os.system("rm -rf /srv/releases/" + name)


def disk_usage(folder: str) -> str:
    with os.popen(f"du -sh {folder}") as told:
        return told.read()


def follow_log(service: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen("journalctl -fu {}".format(service), shell=True)


async def restart(service: str) -> int:
    process = await asyncio.create_subprocess_shell(f"systemctl restart {service}")
    return await process.wait()


def copy_release(host: str, folder: str) -> int:
    done = subprocess.run(
        ["/usr/bin/rsync", "-a", folder, f"{host}:/srv/releases/"],
        check=False,
        shell=False,
    )
    return done.returncode


async def list_units(pattern: str) -> int:
    process = await asyncio.create_subprocess_exec("/usr/bin/systemctl", "list-units", pattern)
    return await process.wait()


class Host:
    """A machine; `system` names its operating system, and starts nothing."""

    def __init__(self, name: str) -> None:
        self.name = name

    def system(self, family: str) -> str:
        return f"{self.name} runs {family}"


def describe(host: Host) -> str:
    return host.system("debian; rm -rf is only a word here")


def login_line(user: str, shell: str) -> str:
    return f"{user}:x:1000:1000::/home/{user}:{shell}"


def add_login(user: str) -> str:
    return login_line(user, shell="/bin/zsh")


def warn_about(command: str) -> str:
    return f"never start {command} with shell=True or os.system(...)"

"""An image with Debian's Open MPI and MPICH, and a program of each in which every process adds up all ranks."""

from __future__ import annotations

import io
import tarfile

import docker

from prominence.cli.pool.recipes import ensure_base_image, proxies

TAG = "prominence-test/mpi:2"
PATH_OF_MPICH = "/opt/mpich:/usr/local/bin:/usr/bin:/bin"
"""Where mpirun is MPICH's; it is Open MPI's otherwise."""

_PROGRAM = r"""
#include <mpi.h>
#include <stdio.h>
int main(int argc, char **argv) {
    int rank, size, length, sum; char name[MPI_MAX_PROCESSOR_NAME];
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    MPI_Get_processor_name(name, &length);
    MPI_Allreduce(&rank, &sum, 1, MPI_INT, MPI_SUM, MPI_COMM_WORLD);
    printf("rank %d of %d on %s sum %d\n", rank, size, name, sum);
    MPI_Finalize();
    return 0;
}
"""
_INSTALL = "apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends"
_RECIPE = f"""
ARG BASE
FROM ${{BASE}} AS build
RUN {_INSTALL} gcc libc6-dev libopenmpi-dev libmpich-dev
COPY ranks.c /
RUN mpicc.openmpi -o /ranks-openmpi /ranks.c && mpicc.mpich -o /ranks-mpich /ranks.c
FROM ${{BASE}}
RUN {_INSTALL} openmpi-bin mpich && rm --recursive --force /var/lib/apt/lists/* /var/cache/apt/* \\
    && mkdir /opt/mpich && ln --symbolic /usr/bin/mpirun.mpich /opt/mpich/mpirun
RUN ln --symbolic /usr/bin/hydra_pmi_proxy /opt/mpich/
COPY --from=build /ranks-openmpi /ranks-mpich /usr/local/bin/
"""


def ensure_mpi_image(engine: docker.DockerClient) -> str:
    """Built where it is missing, and kept for later."""
    if not engine.images.list(name=TAG):
        base = ensure_base_image(engine, lambda line: None)
        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w") as tar:
            for name, text in (("Dockerfile", _RECIPE), ("ranks.c", _PROGRAM)):
                entry = tarfile.TarInfo(name)
                entry.size = len(text.encode())
                tar.addfile(entry, io.BytesIO(text.encode()))
        archive.seek(0)
        engine.images.build(
            fileobj=archive,
            custom_context=True,
            tag=TAG,
            rm=True,
            forcerm=True,
            buildargs={"BASE": base, **proxies({})},
        )
    return TAG

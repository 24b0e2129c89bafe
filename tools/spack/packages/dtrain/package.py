"""Spack recipe: spack repo add tools/spack && spack install dtrain"""

from spack.package import *


class Dtrain(CMakePackage):
    """Distributed data-parallel training of GPT-style language models on many CPU cores and hosts,
    with the same bits for any number of ranks and threads."""

    # Edit: where this source tree is kept.
    git = "file:///path/to/dtrain"

    version("main", branch="main")

    depends_on("c", type="build")
    depends_on("cmake@3.25:", type="build")
    depends_on("pkgconfig", type="build")
    depends_on("openmpi@4.1:")
    depends_on("openblas@0.3:", type="run")
    depends_on("hwloc@2.5:")
    depends_on("isa-l")
    depends_on("libyaml")
    depends_on("jansson@2.13:")
    depends_on("pcre2@10.40:+jit")
    depends_on("protobuf-c")
    depends_on("utf8proc@2.7:")
    depends_on("xxhash@0.8:")
    depends_on("zlib-api")
    depends_on("zstd")
    depends_on("cmocka", type="test")
    depends_on("mpfr", type="test")

    def cmake_args(self):
        return [self.define("BUILD_TESTING", self.run_tests)]

"""Prints an LD_LIBRARY_PATH with which programs find cuDNN and cuBLAS: what it is already, then the folders of the wheels
that this interpreter's PyTorch brought (nvidia/cudnn/lib, nvidia/cu13/lib, nvidia/cublas/lib, ...), then the toolkit's."""
import glob
import importlib.util
import os


def wheels():
    nvidia = importlib.util.find_spec("nvidia")
    for folder in nvidia.submodule_search_locations if nvidia else ():
        yield from sorted(glob.glob(os.path.join(folder, "*", "lib")))


def main():
    folders = filter(None, os.environ.get("LD_LIBRARY_PATH", "").split(":"))
    print(":".join([*folders, *wheels(), *glob.glob("/usr/local/cuda/lib64")]))


if __name__ == "__main__":
    main()

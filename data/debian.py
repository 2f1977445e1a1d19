"""Files of installed Debian packages, and the photographs among them that the data sets are made of."""
import os
import subprocess

import output

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "packages")

# Photographs by package. On these is nothing that is a class of the stamps, so that a stamp is all there is to name.
BACKGROUNDS = {
    "lomiri-wallpapers-16.04": (
        "Bridge_by_Sander_Klootwijk", "Dragonfly_by_Bolly", "aitzgorri_by_Aitzol_Berasategi",
        "analogpattern_by_Peter_Nerlich", "greentock_by_Peter_Nerlich", "life_by_Aitzol_Berasategi",
        "picosdeeuropa_by_Aitzol_Berasategi", "sunset_by_Aitzol_Berasategi"),
    "mate-backgrounds": ("Aqua", "Blinds", "Dune", "GreenMeadow", "RainDrops", "Storm", "Wood"),
    "opencv-doc": ("aero1", "aero3", "aloeL", "board", "building", "home", "left", "leuvenA", "scenetext03", "scenetext04",
                   "stuff"),
}
# And these show flowers, birds, fruit, drums, signs, cars.
OTHERS = {
    "lomiri-wallpapers-16.04": (
        "Picture_0B_by_freespace", "Picture_1A_by_freespace", "Wine_by_Jakkub_Mede", "free_by_Peter_Nerlich",
        "friends_by_Aitzol_Berasategi", "seeding_by_Clements_Engelhardt"),
    "mate-backgrounds": ("FreshFlower", "Garden", "LadyBird", "TwoWings", "YellowFlower"),
    "opencv-doc": ("baboon", "fruits", "scenetext01", "scenetext02", "scenetext05", "scenetext06", "squirrel_cls"),
}


def packages(data_set):
    """The packages that a data set is made of: what packages/DATA_SET.txt lists."""
    with open(os.path.join(FOLDER, data_set + ".txt")) as file:
        return file.read().split()


def files(package):
    """The regular files of a package, sorted."""
    done = subprocess.run(["dpkg", "-L", package], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    if done.returncode:
        raise SystemExit(f"{package}: is not installed; `make data-...` installs what a data set is made of")
    return sorted(path for path in done.stdout.splitlines() if os.path.isfile(path))


def photographs(*tables):
    """The JPEG files that the tables name, sorted by name."""
    found = {}
    for table in tables:
        for package, names in table.items():
            # Of opencv-doc only its examples: the manual shows some of them once more.
            paths = [path for path in files(package) if path.lower().endswith(".jpg") and "/html/" not in path]
            by_name = {output.stem(path): path for path in paths}
            for name in names:
                if name not in by_name:
                    raise SystemExit(f"{package}: has no photograph {name}.jpg; another version of the package?")
                found[name] = by_name[name]
    return [found[name] for name in sorted(found)]

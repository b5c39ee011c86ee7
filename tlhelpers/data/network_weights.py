"""Weights of torchvision, timm and Keras in a classroom pack: by these libraries' own downloads, in their own caches.

    tlhelpers fetch torchvision/resnet18 keras/ResNet50 timm/vit_tiny_patch16_224 --to PACK

fills `PACK/torch`, `PACK/keras` and `PACK/huggingface`. Where TLHELPERS_DATA names the pack, `use_pack_caches` shows
the libraries these folders, and their usual calls find the weights there without a network.
"""

import contextlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from tlhelpers.errors import DownloadError, TlhelpersError, UnknownNameError, said
from tlhelpers.paths import cache_folder, data_folder, shadow_warning

# Each library's variable for its cache, the cache's place in a pack, and the module that reads the variable on import.
CACHES = {
    "TORCH_HOME": ("torch", None),
    "KERAS_HOME": ("keras", "keras"),
    "HF_HOME": ("huggingface", "huggingface_hub"),  # timm downloads through it
}


def use_pack_caches() -> dict[str, str]:
    """Shows torchvision, timm and Keras the weights of the classroom pack; call it before they are imported.

    It sets `TORCH_HOME`, `KERAS_HOME` and `HF_HOME` where the pack has their folder and they are not set. Where the
    pack may only be read, they name a folder of links to its files, since these libraries want to write beside them.
    And it calls `remove_pages`, and warns where another tlhelpers than the installed one is imported: every lesson
    begins with it.

    Returns:
        The variables that it set.

    Raises:
        DataNotFoundError: TLHELPERS_DATA names no folder.
        TlhelpersError: a library that reads its variable when it is imported has been imported already.
    """
    if warning := shadow_warning():
        print(warning, file=sys.stderr)
    pack, found = data_folder(), {}
    for variable, (name, module) in CACHES.items():
        if pack is None or variable in os.environ or not (pack / name).is_dir():
            continue
        if module in sys.modules:
            raise TlhelpersError(
                said(
                    f"{module} has been imported, and would not see the weights of {pack}. Restart the kernel and call "
                    f"use_pack_caches() before you import it, or set {variable}={pack / name} before Python starts.",
                    f"{module} ya está importado y no vería los pesos de {pack}. Reinicie el kernel y llame a "
                    f"use_pack_caches() antes de importarlo, o ponga {variable}={pack / name} antes de abrir Python.",
                )
            )
        found[variable] = str(_writable(pack / name))
    os.environ.update(found)
    remove_pages()
    return found


def remove_pages() -> None:
    """Removes what holds no weights, such as a Wi-Fi network's login page that Keras has kept as weights, and says so.

    Keras knows no checksum of some of its files (MobileNet's), takes whatever comes, and then fails at each loading.
    """
    home = Path(os.environ.get("KERAS_HOME") or os.path.expanduser("~/.keras"))
    for path in (home / "models").glob("*.h5"):
        with contextlib.suppress(OSError):  # of another user, or on a disk that may only be read
            with open(path, "rb") as file:
                begins = file.read(8)
                if not begins or begins.startswith((b"\x89HDF", b"PK")):  # begun, weights, or a model of one's own
                    continue
            path.unlink()
            text = said(
                "Removed: it held no weights. It may be the login page of a Wi-Fi network or of a proxy: open any page "
                "in a browser, log in, and load the network again.",
                "Se ha borrado, pues no contenía pesos. Puede ser la página de acceso de una red Wi-Fi o de un proxy: "
                "abra cualquier página en un navegador, identifíquese y vuelva a cargar la red.",
            )
            print(f"{path}\n{text}", file=sys.stderr)


def _writable(folder: Path) -> Path:
    """The folder itself, or one of links to its files where it cannot be written to."""
    if os.access(folder, os.W_OK):
        return folder
    linked = cache_folder() / "pack" / folder.name
    shutil.copytree(folder, linked, symlinks=True, copy_function=_link, dirs_exist_ok=True)
    for path in [linked, *(path for path in linked.rglob("*") if path.is_dir() and not path.is_symlink())]:
        path.chmod(0o755)  # copied with the mode of the pack's folders
    return linked


def _link(source: str, target: str) -> None:
    if not os.path.lexists(target):
        try:
            os.symlink(source, target)
        except OSError:  # Windows, without the right to make links
            shutil.copyfile(source, target)


def fetch_network(name: str, to: Path | None = None) -> None:
    """Downloads a network's ImageNet weights as its library does, which also checks them.

    Args:
        name: `torchvision/NAME` for its default weights, or `torchvision/ResNet18_Weights.IMAGENET1K_V1` for others;
            `keras/NAME`, with and without the top, for a name of `keras.applications`; `timm/NAME`.
        to: A classroom pack. None for the library's own cache.

    Raises:
        UnknownNameError: no such library.
        DownloadError: the library gave no weights; what it said stands above.
    """
    library, _, network = name.partition("/")
    if library not in LIBRARIES or not network:
        raise UnknownNameError(said("library", "biblioteca"), library, LIBRARIES)
    environment = dict(os.environ)
    for variable, (folder, _) in CACHES.items():
        if to is not None:
            environment[variable] = str(to / folder)
            (to / folder).mkdir(parents=True, exist_ok=True)  # Keras takes another place where there is none
    # A process of its own: the libraries read where their caches are when they are imported, and PyTorch and
    # TensorFlow must not meet in one.
    done = subprocess.run([sys.executable, "-m", __name__, library, network], env=environment)
    for folder, _ in CACHES.values():
        if to is not None and not any((to / folder).iterdir()):
            (to / folder).rmdir()
    if done.returncode:
        raise DownloadError(
            said(
                f"{library} gave no weights for {network!r}; its reason stands above. Compare the name with the "
                "library's list of models, and try again on a machine with a network.",
                f"{library} no dio pesos para {network!r}; su motivo está arriba. Compare el nombre con la lista de "
                "modelos de la biblioteca e inténtelo otra vez en un equipo con red.",
            )
        )


def _from_torchvision(name: str) -> None:
    from torchvision import models

    weights = models.get_weight(name) if "." in name else models.get_model_weights(name).DEFAULT
    weights.get_state_dict(progress=True, check_hash=True)


def _from_timm(name: str) -> None:
    import timm

    timm.create_model(name, pretrained=True)


def _from_keras(name: str) -> None:
    import keras
    import numpy as np

    for include_top in (True, False):
        getattr(keras.applications, name)(include_top=include_top, weights="imagenet")
    keras.applications.imagenet_utils.decode_predictions(np.zeros((1, 1000)))  # which needs the names of the classes


LIBRARIES = {"torchvision": _from_torchvision, "timm": _from_timm, "keras": _from_keras}

if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    remove_pages()
    try:
        LIBRARIES[sys.argv[1]](sys.argv[2])
    except Exception as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        remove_pages()
        sys.exit(1)

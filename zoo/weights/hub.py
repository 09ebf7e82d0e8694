"""Weights from the Hugging Face hub: the only module that imports huggingface_hub.

Downloads are cached, resumed where they stopped, and not tried when HF_HUB_OFFLINE is set; all of it is that library's.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from zoo.errors import ZooError

FILE = "model.safetensors"


@dataclass(frozen=True)
class Fetched:
    """A file of a repository in the cache, and the commit that it is of."""

    path: Path
    revision: str


def fetch(repository: str) -> Fetched:
    """The weights of a repository, from the cache where they are in it.

    Raises:
        ZooError: huggingface_hub is not installed, the repository or its file is not there, or neither the hub nor a
            copy in the cache can be had.
    """
    try:
        from huggingface_hub import constants, hf_hub_download
        from huggingface_hub.errors import (
            EntryNotFoundError,
            GatedRepoError,
            LocalEntryNotFoundError,
            RepositoryNotFoundError,
        )
    except ModuleNotFoundError as error:
        raise ZooError(
            f"fetching weights needs {error.name}, which is not installed: pip install 'keras-zoo[pretrained]', or "
            "name a file that is there already with --file"
        ) from None

    by_hand = f"or fetch {FILE} of {repository} elsewhere and name it with --file"
    try:
        path = Path(hf_hub_download(repository, FILE))
    except LocalEntryNotFoundError:
        why = "HF_HUB_OFFLINE is set" if constants.HF_HUB_OFFLINE else f"{constants.ENDPOINT} cannot be reached"
        mend = "unset it" if constants.HF_HUB_OFFLINE else "try again with a network"
        raise ZooError(f"{repository} is not in the cache, and {why}: {mend}, {by_hand}") from None
    except GatedRepoError:
        raise ZooError(
            f"{repository} is open only to those who accepted its terms: log in with 'hf auth login', {by_hand}"
        ) from None
    except RepositoryNotFoundError:
        raise ZooError(
            f"{constants.ENDPOINT} has no repository {repository}: choose another --tag, or name a file with --file"
        ) from None
    except EntryNotFoundError:
        raise ZooError(
            f"{repository} has no {FILE}, and nothing else is loaded: choose another --tag, or name a file with --file"
        ) from None
    except Exception as error:  # what goes wrong on the way is requests', httpx' or httpx2's own, by version
        reason = " ".join(str(error).split())[:200]
        raise ZooError(f"{repository} cannot be fetched ({reason}): try again, {by_hand}") from None
    # The cache keeps the files of each commit in a folder of that name.
    return Fetched(path, path.parent.name)

"""Fetching weights from the Hugging Face hub: the only module that imports huggingface_hub.

That library caches downloads, resumes them where they stopped, and does not try when HF_HUB_OFFLINE is set.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from zoo.errors import ZooError, one_line

FILE = "model.safetensors"
"""The file of a repository that holds its weights."""

FILE_IN_HAND = "read a local file with 'zoo pull --file'"


@dataclass(frozen=True)
class Fetched:
    """A file of a repository in the cache, and the commit of the repository that it belongs to."""

    path: Path
    revision: str


def fetch(repository: str) -> Fetched:
    """Fetch the weights of a repository, unless they are in the cache.

    Raises:
        ZooError: huggingface_hub is not installed, the repository or its file is not there, or the file is not in the
            cache and the hub cannot be reached.
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
            f"{FILE_IN_HAND}"
        ) from None

    alternative = f"or fetch its {FILE} elsewhere and read it with 'zoo pull --file'"
    try:
        path = Path(hf_hub_download(repository, FILE))
    except LocalEntryNotFoundError:
        cause = "HF_HUB_OFFLINE is set" if constants.HF_HUB_OFFLINE else f"{constants.ENDPOINT} cannot be reached"
        remedy = "unset it" if constants.HF_HUB_OFFLINE else "try again with a network"
        raise ZooError(f"{repository} is not in the cache, and {cause}: {remedy}, {alternative}") from None
    except GatedRepoError:
        raise ZooError(
            f"{repository} is open only to those who accepted its terms: log in with 'hf auth login', {alternative}"
        ) from None
    except RepositoryNotFoundError:
        raise ZooError(
            f"{constants.ENDPOINT} has no repository {repository}: choose another tag, or {FILE_IN_HAND}"
        ) from None
    except EntryNotFoundError:
        raise ZooError(
            f"{repository} has no {FILE}, and nothing else is loaded: choose another tag, or {FILE_IN_HAND}"
        ) from None
    except Exception as error:  # by version, exceptions of requests, httpx or httpx2
        reason = one_line(error)
        raise ZooError(f"{repository} cannot be fetched ({reason}): try again, {alternative}") from None
    # The cache keeps the files of each commit in a folder of that name.
    return Fetched(path, path.parent.name)

"""Public tables by name: `read_runs("published:hoffmann2022")`. None of them is shipped.

>>> from allometry.runs.importers.published import PUBLISHED
>>> PUBLISHED["hoffmann2022"].licence
'none stated'
>>> PUBLISHED["hofmann2022"]
Traceback (most recent call last):
    ...
allometry.errors.UnknownName: There is no published table 'hofmann2022'. Did you mean 'hoffmann2022'? ...
"""

from __future__ import annotations

from allometry.runs.importers.published.definition import PUBLISHED, PublishedTable, TableFile
from allometry.runs.importers.published.reading import importer

__all__ = ["PUBLISHED", "PublishedTable", "TableFile", "importer"]

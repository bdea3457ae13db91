"""Where data comes from: ``load(name, split, data)`` by name, and folders of classes.

- ``load``: FashionMNIST, MNIST, CIFAR-10 (through tensorflow-datasets, from a prepared directory or from the original
  files) and scikit-learn's digits, as arrays in the order of the original files
- ``FolderOfClasses``: a folder of class folders of images, broken files listed
- ``download``: fetches the original files; nothing else here touches the network
- ``DataUnavailable``, ``DamagedData``: the data is nowhere; a file of it is broken
"""

from experiments.common.datasets.download import download
from experiments.common.datasets.errors import DamagedData, DataUnavailable
from experiments.common.datasets.folder import FolderOfClasses
from experiments.common.datasets.images import LabelledImages
from experiments.common.datasets.load import NAMES, load

__all__ = ["DamagedData", "DataUnavailable", "FolderOfClasses", "LabelledImages", "NAMES", "download", "load"]

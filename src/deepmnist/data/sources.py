"""The named data sets: where their files are, what they must contain, whose they are.

Records only; download.py fetches them and loading.py finds and reads them. A file is known by its
SHA-256, so a mirror need not be trusted, and HTTP will do where a publisher has no HTTPS.
"""

from __future__ import annotations

from dataclasses import dataclass

from deepmnist.data.dataset import DIGITS
from deepmnist.errors import DataError, nearest


@dataclass(frozen=True)
class RemoteFile:
    """A published file.

    name: its file name, here and under every mirror.
    sha256: of the file as published, in hexadecimal.
    size: bytes.
    mirrors: addresses to put the name behind, in the order they are tried.
    unpacked_sha256: of what it unpacks to; None where nobody has stated it.
    """

    name: str
    sha256: str
    size: int
    mirrors: tuple[str, ...]
    unpacked_sha256: str | None = None

    @property
    def urls(self) -> tuple[str, ...]:
        """The full addresses, in the order they are tried."""
        return tuple(mirror + self.name for mirror in self.mirrors)

    @property
    def stem(self) -> str:
        """The name of the unpacked file."""
        return self.name.removesuffix(".gz")


@dataclass(frozen=True)
class NamedSource:
    """A data set with a name: `files` is empty where it comes inside an installed package."""

    name: str
    title: str
    files: tuple[RemoteFile, ...]
    licence: str
    citation: str
    homepage: str
    class_names: tuple[str, ...] = DIGITS

    @property
    def size(self) -> int:
        """Bytes to download."""
        return sum(file.size for file in self.files)


def source(name: str) -> NamedSource:
    """The record of that name; DataError, naming the nearest, for an unknown one."""
    if name not in SOURCES:
        raise DataError(
            f"unknown data set '{name}': {nearest(name, SOURCES)}; or give the path of a file or "
            "folder"
        )
    return SOURCES[name]


MNIST_MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)
MNIST = NamedSource(
    name="mnist",
    title="MNIST: handwritten digits, 60,000 + 10,000",
    files=(
        RemoteFile(
            "train-images-idx3-ubyte.gz",
            "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
            9_912_422,
            MNIST_MIRRORS,
            "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        ),
        RemoteFile(
            "train-labels-idx1-ubyte.gz",
            "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
            28_881,
            MNIST_MIRRORS,
            "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        ),
        RemoteFile(
            "t10k-images-idx3-ubyte.gz",
            "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
            1_648_877,
            MNIST_MIRRORS,
            "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        ),
        RemoteFile(
            "t10k-labels-idx1-ubyte.gz",
            "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
            4_542,
            MNIST_MIRRORS,
            "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
        ),
    ),
    licence="CC BY-SA 3.0",
    citation=(
        "Y. LeCun, L. Bottou, Y. Bengio, P. Haffner: Gradient-based learning applied to document "
        "recognition. Proceedings of the IEEE 86(11), 1998"
    ),
    homepage="http://yann.lecun.com/exdb/mnist/",
)

FASHION_MIRRORS = (
    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
    "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/",
)
FASHION_MNIST = NamedSource(
    name="fashion_mnist",
    title="Fashion-MNIST: articles of clothing, 60,000 + 10,000",
    files=(
        RemoteFile(
            "train-images-idx3-ubyte.gz",
            "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
            26_421_880,
            FASHION_MIRRORS,
            "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
        ),
        RemoteFile(
            "train-labels-idx1-ubyte.gz",
            "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
            29_515,
            FASHION_MIRRORS,
            "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
        ),
        RemoteFile(
            "t10k-images-idx3-ubyte.gz",
            "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
            4_422_102,
            FASHION_MIRRORS,
            "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
        ),
        RemoteFile(
            "t10k-labels-idx1-ubyte.gz",
            "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
            5_148,
            FASHION_MIRRORS,
            "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
        ),
    ),
    licence="MIT",
    citation=(
        "H. Xiao, K. Rasul, R. Vollgraf: Fashion-MNIST: a novel image dataset for benchmarking "
        "machine learning algorithms. arXiv:1708.07747, 2017"
    ),
    homepage="https://github.com/zalandoresearch/fashion-mnist",
    class_names=(
        "T-shirt/top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot",
    ),
)

# Sizes and hashes as tensorflow_datasets states them. The publisher has one server, which is
# often out of reach; the second address is another's copy, held to the same hashes.
KMNIST_MIRRORS = (
    "http://codh.rois.ac.jp/kmnist/dataset/kmnist/",
    "https://huggingface.co/datasets/tanganke/kmnist/resolve/"
    "53810959241e8f35890445245170c8cec0672f81/raw/",
)
KMNIST = NamedSource(
    name="kmnist",
    title="Kuzushiji-MNIST: cursive Japanese characters, 60,000 + 10,000",
    files=(
        RemoteFile(
            "train-images-idx3-ubyte.gz",
            "51467d22d8cc72929e2a028a0428f2086b092bb31cfb79c69cc0a90ce135fde4",
            18_165_135,
            KMNIST_MIRRORS,
        ),
        RemoteFile(
            "train-labels-idx1-ubyte.gz",
            "e38f9ebcd0f3ebcdec7fc8eabdcdaef93bb0df8ea12bee65224341c8183d8e17",
            29_497,
            KMNIST_MIRRORS,
        ),
        RemoteFile(
            "t10k-images-idx3-ubyte.gz",
            "edd7a857845ad6bb1d0ba43fe7e794d164fe2dce499a1694695a792adfac43c5",
            3_041_136,
            KMNIST_MIRRORS,
        ),
        RemoteFile(
            "t10k-labels-idx1-ubyte.gz",
            "20bb9a0ef54c7db3efc55a92eef5582c109615df22683c380526788f98e42a1c",
            5_120,
            KMNIST_MIRRORS,
        ),
    ),
    licence="CC BY-SA 4.0",
    citation=(
        "T. Clanuwat, M. Bober-Irizar, A. Kitamoto, A. Lamb, K. Yamamoto, D. Ha: Deep learning "
        "for classical Japanese literature. arXiv:1812.01718, 2018"
    ),
    homepage="http://codh.rois.ac.jp/kmnist/",
    class_names=("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"),
)

EMBEDDED_DIGITS = NamedSource(
    name="digits",
    title="Digits of 8x8 pixels inside scikit-learn, 1,797, scaled up; needs no network",
    files=(),
    licence="CC BY 4.0",
    citation=(
        "E. Alpaydin, C. Kaynak: Optical recognition of handwritten digits. UCI Machine Learning "
        "Repository, 1998. doi:10.24432/C50P49"
    ),
    homepage="https://archive.ics.uci.edu/dataset/80/",
)

SOURCES = {record.name: record for record in (MNIST, FASHION_MNIST, KMNIST, EMBEDDED_DIGITS)}

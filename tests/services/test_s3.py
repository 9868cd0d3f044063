"""A study in a real S3 interface: moto's server on this machine."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from allometry.fitting.result import Forecast
from allometry.forecasts.register import read_register, register
from allometry.runs.run import Run
from allometry.runs.study import Study

pytestmark = pytest.mark.services


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    server_module = pytest.importorskip("moto.server", reason="moto plays S3")
    s3fs = pytest.importorskip("s3fs", reason="S3 is read through s3fs")
    server = server_module.ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        patch.setenv("AWS_ACCESS_KEY_ID", "testing")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        s3fs.S3FileSystem().mkdir("studies")
        yield "s3://studies"
    server.stop()


def test_runs_curves_and_queries_come_back(bucket: str) -> None:
    study = Study.create(f"{bucket}/demo", 'name = "demo"')
    for number in range(5):
        study.save_run(Run(run_id=f"a{number}", status="done", values={"loss": 3.0 - number / 10}))
        (study.run_folder(f"a{number}") / "history.jsonl").write_bytes(b'{"step": 1, "loss": 4.0}\n')

    again = Study.open(f"{bucket}/demo")

    assert list(again.runs().table["loss"]) == [3.0, 2.9, 2.8, 2.7, 2.6]
    assert again.query("SELECT count(*) AS n FROM history").loc[0, "n"] == 5
    assert again.compact().runs == 5


def test_the_register_grows_by_objects_that_only_one_can_make(bucket: str) -> None:
    study = Study.create(f"{bucket}/stated", 'name = "stated"')
    forecast = Forecast(
        inputs={"params": 2e8}, output="loss", unit="nat/token", median=3.25, low=3.1, high=3.5, level=0.9,
        quantiles={0.5: 3.25}, beyond={}, width={}, law="chinchilla", fit_hash="f", data_hash="d",
    )  # fmt: skip

    register(forecast, study, target="one")
    register(forecast, study, target="two")

    assert [entry.target for entry in read_register(study)] == ["one", "two"]

"""Where runs are made. One contract: all results arrive, a failure is data, a rerun trains nothing twice."""

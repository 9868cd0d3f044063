"""Recurrent language models: stacked LSTM or GRU cells between embedding and head."""

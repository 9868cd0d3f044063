"""What a model can do, forecast: from loss to task, across model families, where a jump is real."""

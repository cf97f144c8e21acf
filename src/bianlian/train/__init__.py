"""Training: batches with augmentation, the loop, checkpoints, previews, logs."""

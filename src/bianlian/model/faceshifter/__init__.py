"""FaceShifter: from one photo, without training for the people. Networks, losses and settings, one file each."""

"""Rendered people: a morphable head with photos as skin, performances that anyone can play, and the exact truth about each frame.

The head is ICT-FaceKit's, which is not part of the package (see ``ict``). A person is a shape and a texture in a space that all
heads share, so that anybody plays anybody's performance: *target* = A plays, *truth* = B plays the same, and the ideal swap is B's
inner face on A's head. Units are the model's own (about a centimetre); head space has x to the image right, y up, z to the camera.
"""

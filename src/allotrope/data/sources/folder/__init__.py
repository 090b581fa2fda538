"""Folders of pictures: what a tree of folders says of classes and splits."""

"""The verbs that need more than one part of Allotrope, a file each."""

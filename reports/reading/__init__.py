"""From the files of a run to relations and moments, without deciding anything."""

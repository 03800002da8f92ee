"""Where things come from: folders of pictures, caption files, lists of paths. Does not know pixels."""

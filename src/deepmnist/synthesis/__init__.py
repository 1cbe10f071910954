"""Pictures that never were: made digits, letters, scribbles and photos of them, from a seed alone.

Read left to right: pens.py draws curves; handwriting.py, printing.py and nonsense.py know what to
draw; photos.py lays it on paper and takes a picture; corpus.py makes sets of images of them. The
shipped model learns from it beside MNIST (pretraining.py). Nothing here is taken from elsewhere but
the fonts that Pillow and Matplotlib bring.
"""

import io

from PIL import Image, ImageOps

from evoke import storage

SIZE = (200, 200)


def handler(event, context):
    name = event["data"]["file"]["name"]
    thumbnail = storage.bucket("thumbnails").file(f"{name}.jpg")
    # Events may come in another order than they happened: what is there now decides.
    photo = storage.bucket("photos").file(name)
    known = photo.metadata()
    if known is None:
        return {"thumbnail": thumbnail.name, "deleted": thumbnail.delete()}
    if not known.content_type.startswith("image/"):
        return {"skipped": known.content_type}
    small = shrink(photo.download())
    thumbnail.upload(small, content_type="image/jpeg", metadata={"of": known.etag})
    return {"thumbnail": thumbnail.name, "size_bytes": len(small)}


def shrink(data):
    with Image.open(io.BytesIO(data)) as image:
        image = ImageOps.exif_transpose(image)
        image.thumbnail(SIZE)
        out = io.BytesIO()
        image.convert("RGB").save(out, "JPEG", quality=85)
    return out.getvalue()

"""ImagePlanInfo: an image that nobody has written yet."""

visibility(["//bzl/..."])

def _image_plan_info_init(image, plan, inputs, properties = {}):
    return {"image": image, "inputs": inputs, "plan": plan, "properties": properties}

ImagePlanInfo, _new_image_plan_info = provider(
    doc = "An image as a plan (docs/formats/plan.md): a small file that says where in the inputs each byte lies.",
    fields = {
        "image": "File: the list that stands for the image on a command line (docs/formats/image.md): the plan's path, then its inputs'.",
        "inputs": "depset of File, in preorder: the plan's inputs in their order.",
        "plan": "File: the plan.",
        "properties": "dict of text by text: what whoever takes the image into another one is to know of it; empty if left out.",
    },
    init = _image_plan_info_init,
)
